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
		f.stop()
		if took := f.awaitStop(); took != 0 {
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

func TestStreamsEndAsTheirServiceHasThem(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		refused := status.Error(codes.NotFound, "no such service")
		ended := f.watch()
		f.end <- refused
		if err := <-ended; status.Code(err) != codes.NotFound {
			t.Errorf("a refused stream ended with %v, want %v", err, refused)
		}
		ended = f.watch()
		f.end <- nil
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("a stream that is complete ended with %v, want %v", err, io.EOF)
		}
	})
}

func TestStopLeavesAStreamThatIsCompleteAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.deaf = true
		ended := f.watch()
		synctest.Wait()
		f.stop()
		synctest.Wait()
		f.end <- nil
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("it ended with %v, want %v", err, io.EOF)
		}
	})
}

func TestStopLetsCallsFinish(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		call := f.check()
		synctest.Wait()
		f.stop()
		time.AfterFunc(time.Second, func() { f.answer <- struct{}{} })
		if took := f.awaitStop(); took != time.Second {
			t.Errorf("stopping took %v, want as long as the call did, 1 s", took)
		}
		if err := <-call; err != nil {
			t.Errorf("the call ended with %v, want its answer", err)
		}
	})
}

func TestStopWaitsForNoOne(t *testing.T) {
	for name, hold := range map[string]func(t *testing.T, f *fixture){
		"a call that takes too long": func(t *testing.T, f *fixture) {
			f.check()
		},
		"a stream left open": func(t *testing.T, f *fixture) {
			if _, err := f.reflect(t); err != nil {
				t.Fatal(err)
			}
		},
		"a connection that never speaks": func(t *testing.T, f *fixture) {
			if _, err := f.listener.DialContext(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		"a connection that never reads": func(t *testing.T, f *fixture) {
			f.speakHTTP2(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				hold(t, f)
				synctest.Wait()
				f.stop()
				if took := f.awaitStop(); took > 2*time.Second {
					t.Errorf("stopping took %v, want 2 s at most", took)
				}
			})
		})
	}
}

// awaitStop waits until Run has returned and returns how long that took.
func (f *fixture) awaitStop() time.Duration {
	f.t.Helper()
	begin := time.Now()
	if err := <-f.stopped; err != nil {
		f.t.Errorf("Run: %v", err)
	}
	close(f.stopped)
	return time.Since(begin)
}
