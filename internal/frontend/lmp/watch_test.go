package lmp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

func watchOf(t testing.TB, service string, keepAlive time.Duration) []byte {
	t.Helper()
	return request(t, lmp.Request{Kind: lmp.KindWatch, Service: []byte(service), MaxAge: keepAlive}, nil)
}

// watching is a WATCH in a bubble.
type watching struct {
	t     *testing.T
	conn  net.Conn
	asked []byte
	done  chan struct{}
}

func (b *bubble) watching(service string, keepAlive time.Duration) *watching {
	b.t.Helper()
	w := &watching{t: b.t, asked: watchOf(b.t, service, keepAlive)}
	w.conn, w.done = b.connect()
	write(b.t, w.conn, w.asked)
	return w
}

// wants checks that the next frame comes in exactly that time, and what it says.
func (w *watching) wants(after time.Duration, status lmp.Status, cause lmp.Cause) lmp.Answer {
	w.t.Helper()
	begun := time.Now()
	a := parse(w.t, next(w.t, w.conn), w.asked)
	if took := time.Since(begun); took != after {
		w.t.Errorf("the frame came after %v, want %v", took, after)
	}
	told(w.t, a, status, cause)
	return a
}

// silent checks that nothing comes for that long.
func (w *watching) silent(d time.Duration) {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(d))
	defer w.conn.SetReadDeadline(time.Time{})
	if n, err := w.conn.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("%d bytes came, %v; want nothing for %v", n, err, d)
	}
}

func (w *watching) end() { w.conn.Close(); <-w.done }

// The present answer comes at once, then each change when it happens, and
// nothing else.
func TestWatchTellsEachChange(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("epg", time.Hour)
		first := w.wants(0, lmp.StatusServing, lmp.CauseNone)
		time.AfterFunc(300*time.Millisecond, func() { b.program.report(0, wedged()) })
		second := w.wants(300*time.Millisecond, lmp.StatusNotServing, lmp.CauseStalled)
		if second.Changes != first.Changes+1 || second.Failing != 1 {
			t.Errorf("a wedge made of %+v the answer %+v", first, second)
		}
		time.AfterFunc(time.Second, func() { b.program.report(0, fact(0)) })
		w.wants(time.Second, lmp.StatusServing, lmp.CauseNone)
		b.program.report(0, fact(0)) // changes nothing
		w.silent(time.Second)
		b.program.session.Disconnect()
		w.wants(0, lmp.StatusNotServing, lmp.CauseLost)
		w.end()
	})
}

// What time alone changes is pushed when it does.
func TestWatchTellsWhatTimeChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("epg", time.Hour)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		w.wants(1500*time.Millisecond+1, lmp.StatusNotServing, lmp.CauseStale)
		w.end()
	})
}

func TestWatchKeepAlive(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0:                       time.Second,
		time.Millisecond:        100 * time.Millisecond,
		99 * time.Millisecond:   100 * time.Millisecond,
		101 * time.Millisecond:  101 * time.Millisecond,
		2500 * time.Millisecond: 2500 * time.Millisecond,
		49 * 24 * time.Hour:     49 * 24 * time.Hour,
	} {
		inBubble(t, func(t *testing.T, b *bubble) {
			w := b.watching("nobody", asked)
			w.wants(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
			for range 5 {
				w.wants(want, lmp.StatusUnknownService, lmp.CauseUnknownService)
			}
			w.end()
		})
	}
}

// It counts from the last frame, whatever that was for.
func TestWatchKeepAliveAfterAChange(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("vod", time.Second)
		w.wants(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
		time.AfterFunc(600*time.Millisecond, func() { report(t, b.registry, "vod", loops("main"), wedged()) })
		w.wants(600*time.Millisecond, lmp.StatusNotServing, lmp.CauseStalled)
		w.wants(time.Second, lmp.StatusNotServing, lmp.CauseStalled)
		w.end()
	})
}

// A main loop that does not answer one watcher's question would be told to be
// stalled, and nothing would take that back.
func TestWatchHasNobodyAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		policy := registry.DefaultPolicy
		policy.MaxAge = time.Millisecond
		b.registry.Configure(map[string]registry.Policy{"epg": policy}, nil)
		time.Sleep(10 * time.Millisecond)
		w := b.watching("epg", 100*time.Millisecond)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		w.wants(100*time.Millisecond, lmp.StatusServing, lmp.CauseNone)
		select {
		case <-b.program.commands:
			t.Error("the main loop was asked")
		default:
		}
		w.end()
	})
}

// A change that is none of the name that is watched is not told.
func TestWatchOfAnAspect(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.keepFresh()
		live, ready := b.watching("epg-liveness", time.Hour), b.watching("epg", time.Hour)
		live.wants(0, lmp.StatusServing, lmp.CauseNone)
		ready.wants(0, lmp.StatusServing, lmp.CauseNone)
		if _, err := b.registry.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		ready.wants(0, lmp.StatusNotServing, lmp.CauseDraining)
		live.silent(10 * time.Second)
		live.end()
		ready.end()
	})
}

func TestWatchOfAllServices(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("", time.Hour)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		report(t, b.registry, "vod", loops("main"), wedged())
		if a := parse(t, next(t, w.conn), w.asked); a.Cause != lmp.CauseStalled {
			t.Errorf("after one of two wedged, told %+v", a)
		}
		w.end()
	})
}

// Idleness never ends a WATCH.
func TestWatchIsNotIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("nobody", 20*time.Minute)
		w.wants(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
		for range 10 {
			w.wants(20*time.Minute, lmp.StatusUnknownService, lmp.CauseUnknownService)
		}
		w.end()
	})
}

// A slow checker gets the latest answer, not those in between; a checker that
// takes none for 5 s gets no more.
func TestWatchOfASlowChecker(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("epg", time.Hour)
		synctest.Wait() // the first frame is made, and waits
		for range 10 {
			b.program.report(0, wedged())
			b.program.report(0, fact(0))
		}
		b.program.session.Disconnect()
		synctest.Wait()
		time.Sleep(socket.FrameTimeout - 1)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		if a := w.wants(0, lmp.StatusNotServing, lmp.CauseLost); a.Changes < 20 {
			t.Errorf("the latest is %+v", a)
		}
		w.silent(time.Minute)
		w.end()
	})
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("epg", 0)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		b.closesAfter(w.done, time.Second+socket.FrameTimeout)
	})
}

// Those who take nothing keep nobody from being told at once.
func TestManyWatches(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		b.keepFresh()
		var taking, deaf []*watching
		for range 200 {
			taking, deaf = append(taking, b.watching("epg", time.Hour)), append(deaf, b.watching("epg", 0))
		}
		for _, w := range taking {
			w.wants(0, lmp.StatusServing, lmp.CauseNone)
		}
		if _, err := b.registry.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		for _, w := range taking {
			w.wants(0, lmp.StatusNotServing, lmp.CauseDraining)
		}
		begun := time.Now()
		for _, w := range deaf {
			<-w.done
		}
		if took := time.Since(begun); took != socket.FrameTimeout {
			t.Errorf("the deaf were kept for %v", took)
		}
		for _, w := range taking {
			w.end()
		}
	})
}

// The next frame on its connection ends a WATCH, and is answered.
func TestNextFrameEndsAWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("epg", 0)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		q := check(t, "nobody")
		write(t, w.conn, q)
		told(t, parse(t, next(t, w.conn), q), lmp.StatusUnknownService, lmp.CauseUnknownService)
		w.silent(time.Minute)

		// Another WATCH takes the place of the first.
		for _, service := range []string{"a", "b"} {
			w.asked = watchOf(t, service, 0)
			write(t, w.conn, w.asked)
			for _, after := range []time.Duration{0, time.Second, time.Second} {
				w.wants(after, lmp.StatusUnknownService, lmp.CauseUnknownService)
			}
		}
		w.end()
	})
}

// Those that came together have one answer each, but for the last.
func TestPipelinedWatches(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		conn, done := b.connect()
		questions := [][]byte{check(t, "epg"), watchOf(t, "epg", 0), watchOf(t, "nobody", 0), check(t, ""), watchOf(t, "nobody", 0)}
		write(t, conn, slices.Concat(questions...))
		for _, q := range questions {
			parse(t, next(t, conn), q)
		}
		w := &watching{t, conn, questions[4], done}
		w.wants(time.Second, lmp.StatusUnknownService, lmp.CauseUnknownService)
		w.end()
	})
}

// A frame that was begun ends no WATCH, and has its 5 s.
func TestUnfinishedFrameInAWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("nobody", 2*time.Second)
		w.wants(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
		write(t, w.conn, check(t, "epg")[:9])
		w.wants(2*time.Second, lmp.StatusUnknownService, lmp.CauseUnknownService)
		w.wants(2*time.Second, lmp.StatusUnknownService, lmp.CauseUnknownService)
		b.closesAfter(w.done, time.Second, unfinished)
		closed(t, w.conn)
	})
}

func TestMalformedFrameInAWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		w := b.watching("epg", 0)
		w.wants(0, lmp.StatusServing, lmp.CauseNone)
		write(t, w.conn, []byte("GET"))
		b.closesAfter(w.done, 0, malformed)
		closed(t, w.conn)
	})
}

// unsettled is a source whose memory is not to be told while it has a channel,
// until that is closed.
type unsettled struct {
	frontend.Source
	until atomic.Pointer[chan struct{}]
}

// unsettle has the source settled no more, until the returned function is called.
func (u *unsettled) unsettle() (settle func()) {
	until := make(chan struct{})
	u.until.Store(&until)
	return func() { close(until) }
}

func (u *unsettled) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	a, settled := u.Source.Lookup(name, maxAge)
	select {
	case <-*u.until.Load():
		return a, settled
	default:
		return a, false
	}
}

func (u *unsettled) Await(ctx context.Context, name []byte, maxAge time.Duration) (registry.Answer, error) {
	select {
	case <-*u.until.Load():
		return u.Source.Await(ctx, name, maxAge)
	case <-ctx.Done():
		return registry.Answer{}, ctx.Err()
	}
}

// While the sidecar may not have heard everything, a WATCH is not told what it
// remembers: not at first, and not upon news or when a keep-alive is due.
func TestWatchWaitsUntilItIsSettled(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		source := &unsettled{Source: b.config.Source}
		b.config.Source = source
		settle := source.unsettle()
		w := b.watching("epg", 0)
		w.silent(900 * time.Millisecond)
		settle()
		w.wants(0, lmp.StatusServing, lmp.CauseNone)

		settle = source.unsettle()
		b.program.report(0, wedged())
		w.silent(3 * time.Second)
		b.program.session.Disconnect()
		settle()
		w.wants(0, lmp.StatusNotServing, lmp.CauseLost)

		source.unsettle()
		w.silent(3 * time.Second)
		b.stop() // while it waits
		b.closesAfter(w.done, 0)
	})
}

// After a restart a checker hears of a service when its agents have come back,
// and not before the start grace is over that there is none.
func TestWatchIsHeldDuringTheStartGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		r := registry.New(b.registry.Clock(), time.Second)
		b.config.Source = r
		back, gone := b.watching("epg", time.Hour), b.watching("gone", time.Hour)
		time.AfterFunc(300*time.Millisecond, func() { report(t, r, "epg", loops("main"), fact(0)) })
		back.wants(300*time.Millisecond, lmp.StatusServing, lmp.CauseNone)
		gone.wants(700*time.Millisecond, lmp.StatusUnknownService, lmp.CauseUnknownService)
		report(t, r, "gone", loops("main"), wedged())
		gone.wants(0, lmp.StatusNotServing, lmp.CauseStalled)
		back.end()
		gone.end()
	})
}

// A checker that has closed its half gets the present answer, and then the end.
func TestHalfClosedWatch(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn, q := s.connect(t), watchOf(t, "epg", 0)
	write(t, conn, q)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	told(t, parse(t, next(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
		t.Errorf("then came % X, %v; want the end", b, err)
	}
	if got := s.counts(); got != [refusalKinds]uint64{} {
		t.Errorf("counted %v", got)
	}
}

// Every frame is signed, and bears the request's nonce.
func TestSignedWatch(t *testing.T) {
	r, p := newRegistry(t)
	one, two := key(t, 1, "a"), key(t, 2, "b")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{one, two}})
	conn := s.connect(t)
	q := request(t, lmp.Request{Kind: lmp.KindWatch, Service: []byte("epg")}, two)
	write(t, conn, q)
	for _, then := range []func(){func() { p.report(0, wedged()) }, func() { p.session.Disconnect() }, func() {}} {
		b := next(t, conn)
		parse(t, b, q)
		if err := two.Verify(b); err != nil || len(b) != 54 {
			t.Errorf("%d bytes that are, by the question's own key, %v", len(b), err)
		}
		then()
	}
	unsigned := s.connect(t)
	write(t, unsigned, watchOf(t, "epg", 0))
	closed(t, unsigned)
	if n := s.counts()[unauthenticated]; n != 1 {
		t.Errorf("counted %d, want 1", n)
	}
}

// The kernel queues little for a checker that has no room, and gives up one
// that has vanished.
func TestConnectionsQueueLittle(t *testing.T) {
	r, _ := newRegistry(t)
	s, err := New(Config{Address: "127.0.0.1:0", Source: r})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := s.tcp.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for option, want := range map[int]int{unix.TCP_USER_TIMEOUT: 5000, unix.TCP_NOTSENT_LOWAT: unsent} {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); got != want || err != nil {
				t.Errorf("option %d is %d, %v; want %d", option, got, err, want)
			}
		}
	})
}
