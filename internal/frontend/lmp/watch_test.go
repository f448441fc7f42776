package lmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/eventloop"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

func watchRequest(t testing.TB, service string, keepAlive time.Duration) []byte {
	t.Helper()
	return newRequest(t, lmp.Request{Kind: lmp.KindWatch, Service: []byte(service), MaxAge: keepAlive}, nil)
}

// watchClient is a client with an open WATCH.
type watchClient struct {
	t       *testing.T
	conn    net.Conn
	request []byte
	done    chan struct{} // closed when the server has closed its end
}

func (f *fixture) openWatch(service string, keepAlive time.Duration) *watchClient {
	f.t.Helper()
	w := &watchClient{t: f.t, request: watchRequest(f.t, service, keepAlive)}
	w.conn, w.done = f.connect()
	write(f.t, w.conn, w.request)
	return w
}

// want checks that the next frame arrives after exactly that time, and its
// answer.
func (w *watchClient) want(after time.Duration, status lmp.Status, cause lmp.Cause) lmp.Answer {
	w.t.Helper()
	start := time.Now()
	a := parseAnswer(w.t, readFrame(w.t, w.conn), w.request)
	if took := time.Since(start); took != after {
		w.t.Errorf("the frame arrived after %v, want %v", took, after)
	}
	wantAnswer(w.t, a, status, cause)
	return a
}

// wantNothing checks that no frame arrives for that long.
func (w *watchClient) wantNothing(d time.Duration) {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(d))
	defer w.conn.SetReadDeadline(time.Time{})
	if n, err := w.conn.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Errorf("received %d bytes, %v; want nothing for %v", n, err, d)
	}
}

func (w *watchClient) end() { w.conn.Close(); <-w.done }

// The present answer is sent at once, then each change when it happens, and
// nothing else.
func TestWatchSendsEachChange(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("epg", time.Hour)
		first := w.want(0, lmp.StatusServing, lmp.CauseNone)
		time.AfterFunc(300*time.Millisecond, func() { f.process.Report(hung()) })
		second := w.want(300*time.Millisecond, lmp.StatusNotServing, lmp.CauseStalled)
		if second.Changes != first.Changes+1 || second.Failing != 1 {
			t.Errorf("the answers before and after the hang are %+v and %+v", first, second)
		}
		time.AfterFunc(time.Second, func() { f.process.Report(fact(0)) })
		w.want(time.Second, lmp.StatusServing, lmp.CauseNone)
		f.process.Report(fact(0)) // changes nothing
		w.wantNothing(time.Second)
		f.process.Session.Disconnect()
		w.want(0, lmp.StatusNotServing, lmp.CauseLost)
		w.end()
	})
}

func TestWatchSendsChangeMadeByTimeAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("epg", time.Hour)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		w.want(1500*time.Millisecond+1, lmp.StatusNotServing, lmp.CauseStale)
		w.end()
	})
}

func TestWatchSendsKeepAlives(t *testing.T) {
	for requested, want := range map[time.Duration]time.Duration{
		0:                       time.Second,
		time.Millisecond:        100 * time.Millisecond,
		99 * time.Millisecond:   100 * time.Millisecond,
		101 * time.Millisecond:  101 * time.Millisecond,
		2500 * time.Millisecond: 2500 * time.Millisecond,
		49 * 24 * time.Hour:     49 * 24 * time.Hour,
	} {
		inBubble(t, func(t *testing.T, f *fixture) {
			w := f.openWatch("absent", requested)
			w.want(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
			for range 5 {
				w.want(want, lmp.StatusUnknownService, lmp.CauseUnknownService)
			}
			w.end()
		})
	}
}

func TestKeepAliveIntervalStartsAtLastFrame(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("vod", time.Second)
		w.want(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
		time.AfterFunc(600*time.Millisecond, func() { newProcess(t, f.registry, "vod", loops("main"), hung()) })
		w.want(600*time.Millisecond, lmp.StatusNotServing, lmp.CauseStalled)
		w.want(time.Second, lmp.StatusNotServing, lmp.CauseStalled)
		w.end()
	})
}

// An unanswered get-state command would make the service stalled for this checker
// alone, and no later change would end that.
func TestWatchSendsNoGetStateCommand(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		policy := registry.DefaultPolicy
		policy.MaxAge = time.Millisecond
		f.registry.Configure(map[string]registry.Policy{"epg": policy}, nil)
		time.Sleep(10 * time.Millisecond)
		w := f.openWatch("epg", 100*time.Millisecond)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		w.want(100*time.Millisecond, lmp.StatusServing, lmp.CauseNone)
		select {
		case <-f.process.Commands:
			t.Error("a get-state command was sent, want none")
		default:
		}
		w.end()
	})
}

func TestWatchOfAspectSendsOnlyItsChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.keepFresh()
		live, ready := f.openWatch("epg-liveness", time.Hour), f.openWatch("epg", time.Hour)
		live.want(0, lmp.StatusServing, lmp.CauseNone)
		ready.want(0, lmp.StatusServing, lmp.CauseNone)
		if _, err := f.registry.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		ready.want(0, lmp.StatusNotServing, lmp.CauseDraining)
		live.wantNothing(10 * time.Second)
		live.end()
		ready.end()
	})
}

func TestWatchOfAllServicesSendsChangeOfOne(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("", time.Hour)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		newProcess(t, f.registry, "vod", loops("main"), hung())
		if a := parseAnswer(t, readFrame(t, w.conn), w.request); a.Cause != lmp.CauseStalled {
			t.Errorf("after one of two hung, the answer is %+v", a)
		}
		w.end()
	})
}

func TestWatchNeverTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("absent", 20*time.Minute)
		w.want(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
		for range 10 {
			w.want(20*time.Minute, lmp.StatusUnknownService, lmp.CauseUnknownService)
		}
		w.end()
	})
}

func TestWatchSendsSlowCheckerTheLatestAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("epg", time.Hour)
		synctest.Wait() // until the server writes the first frame
		for range 10 {
			f.process.Report(hung())
			f.process.Report(fact(0))
		}
		f.process.Session.Disconnect()
		synctest.Wait()
		time.Sleep(socket.FrameTimeout - 1)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		if a := w.want(0, lmp.StatusNotServing, lmp.CauseLost); a.Changes < 20 {
			t.Errorf("the latest answer is %+v", a)
		}
		w.wantNothing(time.Minute)
		w.end()
	})
}

func TestWatchClosesCheckerThatDoesNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("epg", 0)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		f.wantClosedAfter(w.done, time.Second+socket.FrameTimeout)
	})
}

func TestWatchIsNotDelayedByCheckersThatDoNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.keepFresh()
		var reading, notReading []*watchClient
		for range 200 {
			reading, notReading = append(reading, f.openWatch("epg", time.Hour)), append(notReading, f.openWatch("epg", 0))
		}
		for _, w := range reading {
			w.want(0, lmp.StatusServing, lmp.CauseNone)
		}
		if _, err := f.registry.Drain("epg", 0); err != nil {
			t.Fatal(err)
		}
		for _, w := range reading {
			w.want(0, lmp.StatusNotServing, lmp.CauseDraining)
		}
		start := time.Now()
		for _, w := range notReading {
			<-w.done
		}
		if took := time.Since(start); took != socket.FrameTimeout {
			t.Errorf("the checkers that do not read were closed after %v, want %v", took, socket.FrameTimeout)
		}
		for _, w := range reading {
			w.end()
		}
	})
}

// Connections that watch one name share a subscription. Each gets the changes until it
// ends its own WATCH, in whatever order they end, and the last ends the subscription.
func TestWatchersOfOneNameComeAndGo(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.keepFresh()
		var all []*watchClient
		open := func() {
			w := f.openWatch("epg", time.Hour)
			w.want(0, lmp.StatusServing, lmp.CauseNone)
			all = append(all, w)
		}
		for range 5 {
			open()
		}
		for _, leaving := range []int{1, 3, 0} {
			all[leaving].end()
			all = slices.Delete(all, leaving, leaving+1)
			open()
			if _, err := f.registry.Drain("epg", 0); err != nil {
				t.Fatal(err)
			}
			for _, w := range all {
				w.want(0, lmp.StatusNotServing, lmp.CauseDraining)
			}
			if _, err := f.registry.Resume("epg", 0); err != nil {
				t.Fatal(err)
			}
			for _, w := range all {
				w.want(0, lmp.StatusServing, lmp.CauseNone)
			}
		}
		audiences := func() (n int) {
			counted := make(chan int)
			f.tcp.loop.Post(func() { counted <- len(f.tcp.audiences) })
			return <-counted
		}
		if n := audiences(); n != 1 {
			t.Errorf("%d audiences of one name, want 1", n)
		}
		for _, w := range all {
			w.end()
		}
		if n := audiences(); n != 0 {
			t.Errorf("%d audiences after all have ended, want 0", n)
		}
	})
}

func TestNextFrameEndsWatchAndIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("epg", 0)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		q := check(t, "absent")
		write(t, w.conn, q)
		wantAnswer(t, parseAnswer(t, readFrame(t, w.conn), q), lmp.StatusUnknownService, lmp.CauseUnknownService)
		w.wantNothing(time.Minute)

		// A WATCH replaces the one before.
		for _, service := range []string{"a", "b"} {
			w.request = watchRequest(t, service, 0)
			write(t, w.conn, w.request)
			for _, after := range []time.Duration{0, time.Second, time.Second} {
				w.want(after, lmp.StatusUnknownService, lmp.CauseUnknownService)
			}
		}
		w.end()
	})
}

// Each gets one answer, and only the last stays open.
func TestPipelinedWatchesAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		conn, done := f.connect()
		requests := [][]byte{check(t, "epg"), watchRequest(t, "epg", 0), watchRequest(t, "absent", 0), check(t, ""), watchRequest(t, "absent", 0)}
		write(t, conn, slices.Concat(requests...))
		for _, q := range requests {
			parseAnswer(t, readFrame(t, conn), q)
		}
		w := &watchClient{t, conn, requests[4], done}
		w.want(time.Second, lmp.StatusUnknownService, lmp.CauseUnknownService)
		w.end()
	})
}

// An unfinished frame does not end a WATCH, until it times out.
func TestUnfinishedFrameInWatchTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("absent", 2*time.Second)
		w.want(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
		write(t, w.conn, check(t, "epg")[:9])
		w.want(2*time.Second, lmp.StatusUnknownService, lmp.CauseUnknownService)
		w.want(2*time.Second, lmp.StatusUnknownService, lmp.CauseUnknownService)
		f.wantClosedAfter(w.done, time.Second, unfinished)
		wantClosed(t, w.conn)
	})
}

func TestMalformedFrameInWatchClosesConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		w := f.openWatch("epg", 0)
		w.want(0, lmp.StatusServing, lmp.CauseNone)
		write(t, w.conn, []byte("GET"))
		f.wantClosedAfter(w.done, 0, malformed)
		wantClosed(t, w.conn)
	})
}

// A WATCH costs no goroutine, whatever name it is of.
func TestWatchHasNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.keepFresh()
		open := func(n int) (all []*watchClient) {
			for i := range n {
				w := f.openWatch(fmt.Sprintf("absent%d", i), time.Hour)
				w.want(0, lmp.StatusUnknownService, lmp.CauseUnknownService)
				all = append(all, w)
			}
			return all
		}
		few := open(1)
		before := runtime.NumGoroutine()
		many := open(100)
		if n := runtime.NumGoroutine() - before; n > 50 {
			t.Errorf("100 WATCHes of other names cost %d goroutines, want none", n)
		}
		for _, w := range slices.Concat(few, many) {
			w.end()
		}
	})
}

func TestHalfClosedWatchIsAnsweredThenClosed(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	conn, q := s.connect(t), watchRequest(t, "epg", 0)
	write(t, conn, q)
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, parseAnswer(t, readFrame(t, conn), q), lmp.StatusServing, lmp.CauseNone)
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
		t.Errorf("received % X, %v after the answer; want the end", b, err)
	}
	if got := s.counts(); got != [rejectionKinds]uint64{} {
		t.Errorf("counted %v, want no rejection", got)
	}
}

// parseAnswer checks that every frame has the request's nonce.
func TestWatchSignsEveryFrame(t *testing.T) {
	r, p := newRegistry(t)
	one, two := newKey(t, 1, "a"), newKey(t, 2, "b")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{one, two}})
	conn := s.connect(t)
	q := newRequest(t, lmp.Request{Kind: lmp.KindWatch, Service: []byte("epg")}, two)
	write(t, conn, q)
	for _, then := range []func(){func() { p.Report(hung()) }, func() { p.Session.Disconnect() }, func() {}} {
		b := readFrame(t, conn)
		parseAnswer(t, b, q)
		if err := two.Verify(b); err != nil || len(b) != 54 {
			t.Errorf("an answer of %d bytes; with the key of the request: %v", len(b), err)
		}
		then()
	}
	unsigned := s.connect(t)
	write(t, unsigned, watchRequest(t, "epg", 0))
	wantClosed(t, unsigned)
	if n := s.counts()[unauthenticated]; n != 1 {
		t.Errorf("counted %d, want 1", n)
	}
}

// acceptedKeys sends the descriptor of each connection that a loop accepts.
type acceptedKeys chan int

func (a acceptedKeys) Accepted(_ eventloop.Socket, key int, _ netip.Addr) { a <- key }

func (acceptedKeys) AcceptFailed(error) {}

// The kernel queues little for a checker that does not read, and gives up one that
// has vanished.
func TestConnectionOptionsAreSet(t *testing.T) {
	l, err := listenTCP("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, keys := l.Addr().String(), make(acceptedKeys, 1)
	loop, err := eventloop.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.Listen(l, keys); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { loop.Run(ctx) })
	defer running.Wait()
	defer stop()
	client, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn := receive(t, keys)
	defer unix.Close(conn)
	for _, o := range []struct{ level, name, want int }{
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 5000},
		{unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
	} {
		if got, err := unix.GetsockoptInt(conn, o.level, o.name); got != o.want || err != nil {
			t.Errorf("option %d is %d, %v; want %d", o.name, got, err, o.want)
		}
	}
}
