package lmp

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// Connections in a time of their own, over net.Pipe: whatever is written there
// waits until it is read.

// bubble is a server and a registry whose time is faked.
type bubble struct {
	*Server
	t        *testing.T
	registry *registry.Registry
	program  *program // of the service "epg", a loop
	ctx      context.Context
	stop     context.CancelFunc
}

// inBubble runs the test with a server whose time passes only when all wait.
func inBubble(t *testing.T, test func(*testing.T, *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock := clock.New()
		r := registry.New(clock, 0)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go clock.Run(ctx, func() bool { return true })
		test(t, &bubble{
			Server:   &Server{config: Config{Source: r, Checkers: newMemory(), Logger: slog.New(slog.DiscardHandler)}},
			t:        t,
			registry: r,
			program:  report(t, r, "epg", loops("main"), fact(0)),
			ctx:      ctx,
			stop:     stop,
		})
	})
}

// connect connects a checker, and returns also what is closed once the server
// has done with it.
func (b *bubble) connect() (conn net.Conn, done chan struct{}) {
	conn, server := net.Pipe()
	b.t.Cleanup(func() { conn.Close() })
	done = make(chan struct{})
	go func() {
		defer close(done)
		b.serveStream(b.ctx, server)
	}()
	return conn, done
}

// closesAfter checks that the server ends the connection in exactly that time,
// and counts it for the given reason, if there is one.
func (b *bubble) closesAfter(done chan struct{}, want time.Duration, why ...refusal) {
	b.t.Helper()
	begun := time.Now()
	<-done
	if took := time.Since(begun); took != want {
		b.t.Errorf("closed after %v, want %v", took, want)
	}
	for kind := range refusal(refusalKinds) {
		var want uint64
		if slices.Contains(why, kind) {
			want = 1
		}
		if got := b.refusals[kind].Load(); got != want {
			b.t.Errorf("counted %d for %s, want %d", got, refusalNames[kind], want)
		}
	}
}

func TestFrameByteByByte(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		for range 3 {
			q := check(t, "epg")
			for i := range q {
				write(t, conn, q[i:i+1])
				synctest.Wait()
			}
			told(t, parse(t, next(t, conn), q), lmp.StatusServing, lmp.CauseNone)
		}
		conn.Close()
		<-done
	})
}

// A frame has 5 s to come, however busily it does.
func TestFrameThatIsNotFinished(t *testing.T) {
	for _, begun := range []int{1, 8, 36} {
		inBubble(t, func(t *testing.T, b *bubble) {
			conn, done := b.connect()
			q := check(t, "epg")
			time.Sleep(time.Minute) // idle before it begins
			write(t, conn, slices.Concat(q, q[:begun]))
			parse(t, next(t, conn), q)
			b.closesAfter(done, 5*time.Second, unfinished)
		})
	}
}

func TestFrameThatTrickles(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		q := check(t, "epg")
		for i := range 37 { // 210 ms apart: done after 7.6 s
			if _, err := conn.Write(q[i : i+1]); err != nil {
				if i != 24 {
					t.Errorf("closed before byte %d", i)
				}
				break
			}
			time.Sleep(210 * time.Millisecond)
		}
		b.closesAfter(done, 0, unfinished)
	})
}

// Each frame has its own 5 s.
func TestFramesThatAreSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		b.keepFresh()
		for range 10 {
			q := check(t, "epg")
			write(t, conn, q[:20])
			time.Sleep(4 * time.Second)
			write(t, conn, q[20:])
			told(t, parse(t, next(t, conn), q), lmp.StatusServing, lmp.CauseNone)
		}
		conn.Close()
		<-done
	})
}

func TestIdleConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		for range 3 {
			q := check(t, "epg")
			write(t, conn, q)
			parse(t, next(t, conn), q)
			time.Sleep(5*time.Minute - 1)
		}
		select {
		case <-done:
			t.Error("closed before its time")
		default:
		}
		b.closesAfter(done, 1)
		closed(t, conn)
	})
}

// A checker that takes no answer holds its connection for 5 s.
func TestCheckerThatDoesNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		write(t, conn, check(t, "epg"))
		b.closesAfter(done, 5*time.Second)
	})
}

// Its answers are not kept for it without end.
func TestCheckerThatOnlyWrites(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		all := slices.Concat(slices.Repeat([][]byte{check(t, "epg")}, 100_000)...)
		n, err := conn.Write(all)
		if err == nil {
			t.Fatal("all was taken")
		}
		if asked := n / len(check(t, "epg")); asked > (lmp.MaxLength+smallBuffer)/32+1 {
			t.Errorf("%d questions were taken, whose answers nobody takes", asked)
		}
		<-done
	})
}

// Answers to requests that came together leave together, but as few at a time
// as fill a frame of the greatest length.
func TestAnswersLeaveTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		var names []string
		for i := range 300 {
			names = append(names, fmt.Sprintf("%0100d", i))
		}
		report(t, b.registry, "large", loops(names...), slices.Repeat([]registry.Fact{fact(0)}, len(names))...)
		conn, done := b.connect()
		in := make([]byte, 1<<20)

		write(t, conn, slices.Concat(slices.Repeat([][]byte{check(t, "epg")}, 10)...))
		if n, err := conn.Read(in); n != 320 || err != nil {
			t.Errorf("%d bytes came, %v; want ten answers together", n, err)
		}
		const questions = 12
		write(t, conn, slices.Concat(slices.Repeat([][]byte{describe(t, "large")}, questions)...))
		for length, all := 0, 0; all == 0 || all < questions*length; {
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
				t.Errorf("%d bytes came together", n)
			}
			all += n
		}
		conn.Close()
		<-done
	})
}

func TestIdleConnectionHoldsLittle(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		crowd(t, b.registry, "crowd")
		client, server := net.Pipe()
		defer client.Close()
		frames := newFrameReader(server, make(large, 1))
		q := longest(t)
		go client.Write(slices.Concat(q, q, check(t, "epg")))
		for range 3 {
			if _, err := frames.next(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		go frames.next(t.Context(), 0) // waits
		synctest.Wait()
		if n := len(frames.buffer); n > smallBuffer {
			t.Errorf("an idle connection holds %d bytes to read into", n)
		}
		out := make([]byte, lmp.MaxLength)
		go io.Copy(io.Discard, client)
		if !flush(t.Context(), server, &out) || cap(out) > smallBuffer {
			t.Errorf("an idle connection holds %d bytes to answer with", cap(out))
		}
		server.Close()
	})
}

// Whatever a connection waits for, the server's end ends it at once.
func TestStopEndsConnections(t *testing.T) {
	for name, wait := range map[string]func(*bubble, net.Conn){
		"idle":       func(*bubble, net.Conn) {},
		"in a frame": func(b *bubble, conn net.Conn) { write(b.t, conn, check(b.t, "epg")[:9]) },
		"for the main loop": func(b *bubble, conn net.Conn) {
			b.program.report(0, fact(longAgo))
			write(b.t, conn, fresh(b.t, lmp.KindCheck))
		},
		"for the checker": func(b *bubble, conn net.Conn) { write(b.t, conn, check(b.t, "epg")) },
		"in a WATCH": func(b *bubble, conn net.Conn) {
			write(b.t, conn, watchOf(b.t, "epg", 0))
			next(b.t, conn)
		},
		"for the checker of a WATCH": func(b *bubble, conn net.Conn) { write(b.t, conn, watchOf(b.t, "epg", 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				conn, done := b.connect()
				wait(b, conn)
				synctest.Wait()
				b.stop()
				b.closesAfter(done, 0)
				closed(t, conn)
			})
		})
	}
}

// lateConn has the server's end come just before a deadline is set.
type lateConn struct {
	net.Conn
	before func()
}

func (c *lateConn) SetReadDeadline(at time.Time) error {
	c.before()
	return c.Conn.SetReadDeadline(at)
}

func (c *lateConn) SetWriteDeadline(at time.Time) error {
	c.before()
	return c.Conn.SetWriteDeadline(at)
}

func TestStopWhileADeadlineIsSet(t *testing.T) {
	for name, calls := range map[string]int{"reading": 1, "writing": 2} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bubble) {
				client, server := net.Pipe()
				defer client.Close()
				ctx, stop := context.WithCancel(b.ctx)
				late := &lateConn{Conn: server, before: func() {
					if calls--; calls == 0 {
						stop()
						synctest.Wait() // until the end of ctx has set its own deadline
					}
				}}
				go client.Write(check(t, "epg"))
				begun := time.Now()
				b.serveStream(ctx, late)
				if took := time.Since(begun); took != 0 {
					t.Errorf("ended after %v", took)
				}
			})
		})
	}
}

// keepFresh has the program report until the test ends.
func (b *bubble) keepFresh() {
	go func() {
		for {
			select {
			case <-b.ctx.Done():
				return
			case <-time.After(500 * time.Millisecond):
				b.program.report(0, fact(0))
			}
		}
	}()
}
