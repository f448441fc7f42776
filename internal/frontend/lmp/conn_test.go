package lmp

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

func TestFrameSentByteByByteIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		for range 3 {
			q := check(t, "epg")
			for i := range q {
				write(t, conn, q[i:i+1])
				synctest.Wait()
			}
			wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
		}
		conn.Close()
		<-done
	})
}

// A frame must be finished within 5 s of its first byte.
func TestUnfinishedFrameTimesOut(t *testing.T) {
	for _, length := range []int{1, 8, 36} {
		inBubble(t, func(t *testing.T, f *fixture) {
			conn, done := f.connect()
			q := check(t, "epg")
			time.Sleep(time.Minute) // idle before the frame begins
			write(t, conn, slices.Concat(q, q[:length]))
			parseAnswer(t, readFrame(t, conn), q)
			f.wantClosedAfter(done, 5*time.Second, unfinished)
		})
	}
}

// The limit holds though bytes keep coming.
func TestTricklingFrameTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		q := check(t, "epg")
		for i := range 37 { // 210 ms apart: it would take 7.6 s
			if _, err := conn.Write(q[i : i+1]); err != nil {
				if i != 24 {
					t.Errorf("closed before byte %d, want before byte 24", i)
				}
				break
			}
			time.Sleep(210 * time.Millisecond)
		}
		f.wantClosedAfter(done, 0, unfinished)
	})
}

// Each frame has a limit of its own.
func TestSlowFramesAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		f.keepFresh()
		for range 10 {
			q := check(t, "epg")
			write(t, conn, q[:20])
			time.Sleep(4 * time.Second)
			write(t, conn, q[20:])
			wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
		}
		conn.Close()
		<-done
	})
}

func TestIdleConnectionTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		for range 3 {
			q := check(t, "epg")
			write(t, conn, q)
			parseAnswer(t, readFrame(t, conn), q)
			time.Sleep(5*time.Minute - 1)
		}
		select {
		case <-done:
			t.Error("closed too early")
		default:
		}
		f.wantClosedAfter(done, 1)
		wantClosed(t, conn)
	})
}

func TestUnreadAnswerTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		write(t, conn, check(t, "epg"))
		f.wantClosedAfter(done, 5*time.Second)
	})
}

// The answers for a client that does not read are limited.
func TestClientThatOnlyWritesIsClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		all := slices.Concat(slices.Repeat([][]byte{check(t, "epg")}, 100_000)...)
		n, err := conn.Write(all)
		if err == nil {
			t.Fatal("the server read all requests, want only some")
		}
		if read := n / len(check(t, "epg")); read > (lmp.MaxLength+smallBuffer)/32+1 {
			t.Errorf("the server read %d requests though no answer was read", read)
		}
		<-done
	})
}

// What a connection holds whose client does not read depends on how many are open.
func TestManyConnectionsHoldLittleEach(t *testing.T) {
	for _, open := range []int{0, manyConns} {
		inBubble(t, func(t *testing.T, f *fixture) {
			client, server := f.poller.newPipe()
			defer client.Close()
			c := f.add(server)
			posted := make(chan struct{})
			f.tcp.loop.Post(func() { f.tcp.open += open; close(posted) })
			<-posted
			const requests = 200
			all := slices.Concat(slices.Repeat([][]byte{check(t, "epg")}, requests)...)
			go client.Write(all)
			synctest.Wait()
			most, least := 2*smallBuffer, 1
			if open == 0 {
				most, least = 2*fullBuffer, fullBuffer/2
			}
			if held := cap(c.unsent) + cap(c.frames.kept); held > most || held < least {
				t.Errorf("with %d connections open, one holds %d bytes, want %d to %d", open+1, held, least, most)
			}
			for range requests {
				wantAnswer(t, parseAnswer(t, readFrame(t, client), all[:37]), lmp.StatusServing, lmp.CauseNone)
			}
		})
	}
}

// Pipelined requests are answered in one write, but a write stays shorter than a
// frame of the greatest length and one answer.
func TestPipelinedAnswersAreSentTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		var names []string
		for i := range 300 {
			names = append(names, fmt.Sprintf("%0100d", i))
		}
		newProcess(t, f.registry, "many", loops(names...), slices.Repeat([]registry.Fact{fact(0)}, len(names))...)
		conn, done := f.connect()
		in := make([]byte, 1<<20)

		write(t, conn, slices.Concat(slices.Repeat([][]byte{check(t, "epg")}, 10)...))
		if n, err := conn.Read(in); n != 320 || err != nil {
			t.Errorf("received %d bytes, %v; want ten answers at once", n, err)
		}
		const requests = 12
		write(t, conn, slices.Concat(slices.Repeat([][]byte{describe(t, "many")}, requests)...))
		for length, all := 0, 0; all == 0 || all < requests*length; {
			n, err := conn.Read(in)
			if err != nil {
				t.Fatal(err)
			}
			if length == 0 {
				if length, err = lmp.FrameLength(in[:n]); err != nil {
					t.Fatal(err)
				}
			}
			if n >= lmp.MaxLength+length {
				t.Errorf("received %d bytes at once", n)
			}
			all += n
		}
		conn.Close()
		<-done
	})
}

func TestIdleConnectionHoldsNoLargeBuffer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		newLargeProcess(t, f.registry, "large")
		client, server := f.poller.newPipe()
		defer client.Close()
		c := f.add(server)
		q := longestRequest(t)
		write(t, client, q)
		readFrame(t, client)
		write(t, client, q[:20_000]) // the frame after a large one is large, too
		synctest.Wait()
		if n := cap(c.frames.kept); n != len(q) {
			t.Errorf("a buffer for a frame of %d bytes has %d", len(q), n)
		}
		for _, rest := range [][]byte{q[20_000:], describe(t, "large"), slices.Concat(q, check(t, "epg")[:9])} {
			go client.Write(rest)
			readFrame(t, client)
		}
		synctest.Wait()
		if kept, unsent := cap(c.frames.kept), cap(c.unsent); kept > smallBuffer || unsent > 0 {
			t.Errorf("an idle connection holds a read buffer of %d bytes and a write buffer of %d", kept, unsent)
		}
	})
}

// Stopping the server closes a connection at once, whatever it waits for.
func TestStopClosesConnections(t *testing.T) {
	for name, wait := range map[string]func(*fixture, net.Conn){
		"idle":           func(*fixture, net.Conn) {},
		"within a frame": func(f *fixture, conn net.Conn) { write(f.t, conn, check(f.t, "epg")[:9]) },
		"waiting for the main loop": func(f *fixture, conn net.Conn) {
			f.process.Report(fact(longAgo))
			write(f.t, conn, freshRequest(f.t, lmp.KindCheck))
		},
		"waiting for the client to read": func(f *fixture, conn net.Conn) { write(f.t, conn, check(f.t, "epg")) },
		"in a WATCH": func(f *fixture, conn net.Conn) {
			write(f.t, conn, watchRequest(f.t, "epg", 0))
			readFrame(f.t, conn)
		},
		"in a WATCH, waiting for the client to read": func(f *fixture, conn net.Conn) { write(f.t, conn, watchRequest(f.t, "epg", 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *fixture) {
				conn, done := f.connect()
				wait(f, conn)
				synctest.Wait()
				f.stop()
				f.wantClosedAfter(done, 0)
				wantClosed(t, conn)
			})
		})
	}
}

// stoppedSource is a source during whose lookups landmarkd is stopped.
type stoppedSource struct {
	frontend.Source
	stop func()
}

func (s *stoppedSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	a, final := s.Source.Lookup(name, maxAge)
	s.stop()
	return a, final
}

// An answer that was looked up before landmarkd was stopped is not sent after it: the
// program may have hung since.
func TestHeldAnswerIsNotSent(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source := &stoppedSource{Source: f.registry, stop: func() {}}
		f.config.Source = source
		conn, done := f.connect()
		q := check(t, "epg")
		write(t, conn, q)
		wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
		source.stop = func() { time.Sleep(maxHeld) }
		write(t, conn, q)
		if n, err := conn.Read(make([]byte, 64)); err == nil {
			t.Errorf("received %d bytes", n)
		}
		<-done
		if n := f.Server.rejections.Counted(held); n != 1 {
			t.Errorf("counted %d answers that were held, want 1", n)
		}
	})
}
