package grpcserver

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestStopEndsStreams(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		first, second := f.watch(), f.watch()
		synctest.Wait()
		f.Stop()
		if took := f.AwaitStop(); took != 0 {
			t.Errorf("stopping took %v, want no time", took)
		}
		for _, ended := range []<-chan error{first, second} {
			s := status.Convert(<-ended)
			if s.Code() != codes.Unavailable || s.Message() != "landmarkd is stopping" {
				t.Errorf("a stream ended with %v, want Unavailable: landmarkd is stopping", s.Err())
			}
		}
	})
}

func TestStreamEndsWithErrorOfService(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		want := status.Error(codes.NotFound, "no such service")
		ended := f.watch()
		f.end <- want
		if err := <-ended; status.Code(err) != codes.NotFound {
			t.Errorf("a stream ended with %v, want %v", err, want)
		}
		ended = f.watch()
		f.end <- nil
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("a complete stream ended with %v, want %v", err, io.EOF)
		}
	})
}

func TestStopKeepsResultOfCompleteStream(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.ignoresStop = true
		ended := f.watch()
		synctest.Wait()
		f.Stop()
		synctest.Wait()
		f.end <- nil
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v, want %v", err, io.EOF)
		}
	})
}

func TestStopWaitsForCalls(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		call := f.check()
		synctest.Wait()
		f.Stop()
		time.AfterFunc(time.Second, func() { f.answer <- struct{}{} })
		if took := f.AwaitStop(); took != time.Second {
			t.Errorf("stopping took %v, want as long as the call, 1 s", took)
		}
		if err := <-call; err != nil {
			t.Errorf("the call ended with %v, want its answer", err)
		}
	})
}

func TestStopReturnsInTime(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, f *fixture){
		"a call that takes too long": func(t *testing.T, f *fixture) {
			f.check()
		},
		"a stream left open": func(t *testing.T, f *fixture) {
			if _, err := f.reflect(t); err != nil {
				t.Fatal(err)
			}
		},
		"a connection that never sends": func(t *testing.T, f *fixture) {
			if _, err := f.listener.DialContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"a connection that never reads": func(t *testing.T, f *fixture) {
			f.dialHTTP2(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				hold(t, f)
				synctest.Wait()
				f.Stop()
				if took := f.AwaitStop(); took > 2*time.Second {
					t.Errorf("stopping took %v, want at most 2 s", took)
				}
			})
		})
	}
}
