package probe

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// watchTest is a Watch with a fake clock and a fake server.
type watchTest struct {
	t       *testing.T
	start   time.Time
	accept  func(n int, conn net.Conn) error        // the server: accepts the nth connection, or refuses it
	resolve func(context.Context) ([]string, error) // the name servers; nil = none needed
	dials   []time.Duration                         // since start
	updates chan timedUpdate
	cancel  context.CancelFunc
	done    chan error
}

type timedUpdate struct {
	Update
	at time.Duration // since start
}

// testWatch runs test with a Watch whose silence is 3 s.
func testWatch(t *testing.T, req WatchRequest, accept func(int, net.Conn) error, test func(*watchTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &watchTest{t: t, start: time.Now(), accept: accept, updates: make(chan timedUpdate, 10_000), done: make(chan error, 1)}
		s.run(req)
		test(s)
		s.stop()
	})
}

func (s *watchTest) run(req WatchRequest) {
	req.Address, req.Silence = "10.0.0.7:19533", 3*time.Second
	w, err := newWatcher(req, func(u Update) { s.updates <- timedUpdate{u, time.Since(s.start)} })
	if err != nil {
		s.t.Fatal(err)
	}
	w.dial = func(ctx context.Context, _ string) (net.Conn, error) {
		s.dials = append(s.dials, time.Since(s.start))
		client, server := net.Pipe()
		if err := s.accept(len(s.dials), server); err != nil {
			if err == errBlackHole {
				<-ctx.Done()
				err = ctx.Err()
			}
			return nil, err
		}
		return client, nil
	}
	if s.resolve != nil {
		w.lookup.resolve = s.resolve
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.done <- w.run(ctx) }()
}

func (s *watchTest) stop() {
	s.cancel()
	start := time.Now()
	if err := <-s.done; err != context.Canceled || time.Since(start) != 0 {
		s.t.Errorf("Watch returned %v after %v, want context.Canceled at once", err, time.Since(start))
	}
	time.Sleep(time.Minute) // for the servers to end
	if n := len(s.updates); n > 0 {
		s.t.Errorf("%d unexpected updates, the first %+v", n, <-s.updates)
	}
}

// next returns the next update, which must come at the given time after the start.
func (s *watchTest) next(want time.Duration) Update {
	s.t.Helper()
	u := <-s.updates
	if u.at != want {
		s.t.Errorf("after %v Watch reported %+v; want that after %v", u.at, u.Update, want)
	}
	return u.Update
}

// wantServing checks that the next update comes at that time and is serving.
func (s *watchTest) wantServing(at time.Duration) {
	s.t.Helper()
	if u := s.next(at); u.Err != nil || u.Answer.Status != lmp.StatusServing {
		s.t.Errorf("Watch reported %+v, want serving", u)
	}
}

// wantSilence checks that the next update comes at that time and is an error with the
// reason in it.
func (s *watchTest) wantSilence(at time.Duration, reason string) {
	s.t.Helper()
	if u := s.next(at); u.Err == nil || !strings.Contains(u.Err.Error(), reason) || !strings.Contains(u.Err.Error(), "10.0.0.7:19533") {
		s.t.Errorf("Watch reported %+v, want an error with %q in it", u, reason)
	}
}

var (
	errBlackHole   = errors.New("no packet arrives")
	errConnRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
)

// readWatch reads the WATCH from conn and returns the frame of a serving answer to it,
// or nil if the client has closed conn.
func readWatch(t *testing.T, conn net.Conn, key *lmp.Key) []byte {
	frame, err := readFrame(conn)
	if err != nil {
		return nil
	}
	req, err := lmp.ParseRequest(frame)
	if err != nil || req.Kind != lmp.KindWatch {
		t.Errorf("received %+v, %v; want a WATCH", req, err)
	}
	if key != nil && key.Verify(frame) != nil {
		t.Errorf("the request is not signed: %v", key.Verify(frame))
	}
	a := answerTo(req)
	return lmp.AppendAnswer(nil, &a, lmp.MaxLength, key)
}

// serveWatch answers a WATCH as landmarkd does, with so many frames.
func serveWatch(t *testing.T, conn net.Conn, key *lmp.Key, frames int) {
	a := readWatch(t, conn, key)
	for i := range frames {
		if i > 0 {
			time.Sleep(time.Second)
		}
		if _, err := conn.Write(a); err != nil {
			return
		}
	}
}

// Watch reports each frame. It does not report a lost connection if the server comes
// back in time.
func TestWatchReportsEachFrame(t *testing.T) {
	testWatch(t, WatchRequest{Service: "epg"}, func(n int, conn net.Conn) error {
		switch {
		case n == 1:
			go func() { serveWatch(t, conn, nil, 4); conn.Close() }()
		case n < 6:
			return errConnRefused
		default:
			go serveWatch(t, conn, nil, 3)
		}
		return nil
	}, func(s *watchTest) {
		for i := range 4 {
			s.wantServing(time.Duration(i) * time.Second)
		}
		again := <-s.updates
		if again.Err != nil {
			t.Errorf("Watch reported a lost connection: %v", again.Err)
		}
		// At once, then after 50, 100, 200 and 250 ms, a fifth more or less.
		for i, want := range []time.Duration{0, 0, 50, 100, 200, 250} {
			if i == 0 {
				continue
			}
			from := 3 * time.Second
			if i > 1 {
				from = s.dials[i-1]
			}
			want *= time.Millisecond
			if got := s.dials[i] - from; got < want*4/5 || got > want*6/5 {
				t.Errorf("dial %d came %v after the one before, want %v", i+1, got, want)
			}
		}
		s.wantServing(again.at + time.Second)
		s.wantServing(again.at + 2*time.Second)
	})
}

// If several frames are read at once, as after a stop of this program, Watch reports a
// serving one only if it is the last.
func TestWatchSkipsOutdatedServing(t *testing.T) {
	testWatch(t, WatchRequest{Service: "epg"}, func(n int, conn net.Conn) error {
		go func() {
			serving := readWatch(t, conn, nil)
			a, err := lmp.ParseAnswer(serving)
			if err != nil {
				t.Error(err)
			}
			a.Status, a.Cause, a.Weight = lmp.StatusNotServing, lmp.CauseStalled, 0
			not := lmp.AppendAnswer(nil, &a, lmp.MaxLength, nil)
			conn.Write(not)
			time.Sleep(500 * time.Millisecond)
			conn.Write(slices.Concat(serving, not, serving, serving, not))
			time.Sleep(500 * time.Millisecond)
			conn.Write(slices.Concat(not, serving))
		}()
		return nil
	}, func(s *watchTest) {
		for i, want := range []lmp.Status{lmp.StatusNotServing, lmp.StatusNotServing, lmp.StatusNotServing, lmp.StatusNotServing, lmp.StatusServing} {
			if u := <-s.updates; u.Err != nil || u.Answer.Status != want {
				t.Errorf("update %d at %v is %v, %v; want %v", i, u.at, u.Answer.Status, u.Err, want)
			}
		}
	})
}

// Watch reports a server that sends no valid answer once, after exactly the silence.
// The first valid answer ends the silence.
func TestWatchReportsSilence(t *testing.T) {
	key := testKey(t, 1)
	writeSlowly := func(conn net.Conn, b []byte, interval time.Duration) {
		for i := range b {
			time.Sleep(interval)
			if _, err := conn.Write(b[i : i+1]); err != nil {
				return
			}
		}
	}
	answerWith := func(change func(*lmp.Answer), signWith *lmp.Key) func(*testing.T, net.Conn) {
		return func(t *testing.T, conn net.Conn) {
			b := readWatch(t, conn, key)
			if b == nil {
				return
			}
			a, err := lmp.ParseAnswer(b)
			if err != nil {
				t.Error(err)
			}
			change(&a)
			conn.Write(lmp.AppendAnswer(nil, &a, lmp.MaxLength, signWith))
		}
	}
	for name, bad := range map[string]struct {
		serve  func(*testing.T, net.Conn)
		reason string
	}{
		"sends nothing":    {func(t *testing.T, conn net.Conn) { readWatch(t, conn, key) }, "sends no answer"},
		"reads nothing":    {func(t *testing.T, conn net.Conn) {}, "sends no answer"},
		"closes at once":   {func(t *testing.T, conn net.Conn) { conn.Close() }, "without an answer"},
		"rejects":          {func(t *testing.T, conn net.Conn) { readWatch(t, conn, key); conn.Close() }, "without an answer"},
		"another protocol": {func(t *testing.T, conn net.Conn) { readWatch(t, conn, key); conn.Write(make([]byte, 64)) }, "malformed"},
		"too slow":         {func(t *testing.T, conn net.Conn) { writeSlowly(conn, readWatch(t, conn, key), 400*time.Millisecond) }, "sends no answer"},
		"another nonce":    {answerWith(func(a *lmp.Answer) { a.Nonce++ }, key), "another request"},
		"answers CHECK":    {answerWith(func(a *lmp.Answer) { a.Kind = lmp.KindCheck }, key), "another request"},
		"unsigned":         {answerWith(func(a *lmp.Answer) {}, nil), "not signed"},
		"another key":      {answerWith(func(a *lmp.Answer) {}, testKey(t, 2)), "another number"},
		"half a frame":     {func(t *testing.T, conn net.Conn) { conn.Write(readWatch(t, conn, key)[:40]); conn.Close() }, "fields"},
	} {
		t.Run(name, func(t *testing.T) {
			const back = 7 * time.Second
			var start time.Time
			testWatch(t, WatchRequest{Service: "epg", Key: key}, func(n int, conn net.Conn) error {
				if n == 1 {
					start = time.Now()
				}
				go func() {
					switch {
					case n == 1: // healthy at first
						serveWatch(t, conn, key, 2)
						time.Sleep(300 * time.Millisecond)
						conn.Close()
					case time.Since(start) < back:
						bad.serve(t, conn)
					default:
						serveWatch(t, conn, key, 3)
					}
				}()
				return nil
			}, func(s *watchTest) {
				s.wantServing(0)
				s.wantServing(time.Second)
				s.wantSilence(4*time.Second, bad.reason)
				again := <-s.updates
				if again.Err != nil || again.at < back || again.at > back+2*time.Second+maxDelay*6/5 {
					t.Errorf("Watch reported %+v, want an answer soon after %v", again, back)
				}
				s.wantServing(again.at + time.Second)
				s.wantServing(again.at + 2*time.Second)
			})
		})
	}
}

// A server that never accepts a connection is reported once, and dialled forever.
func TestWatchOfUnreachableServer(t *testing.T) {
	for reason, err := range map[string]error{"connection refused": errConnRefused, "deadline exceeded": errBlackHole} {
		testWatch(t, WatchRequest{}, func(int, net.Conn) error { return err }, func(s *watchTest) {
			s.wantSilence(3*time.Second, reason)
			time.Sleep(time.Hour) // without another update
			synctest.Wait()
			if n := len(s.dials); n < 2000 {
				t.Errorf("%s: Watch dialled %d times in an hour", reason, n)
			}
		})
	}
}

// Watch replaces a connection whose other end has vanished before the silence is over.
func TestWatchReplacesHalfOpenConnection(t *testing.T) {
	testWatch(t, WatchRequest{}, func(n int, conn net.Conn) error {
		go serveWatch(t, conn, nil, 3) // then nothing comes, not even the end
		return nil
	}, func(s *watchTest) {
		for i := range time.Duration(20) {
			// Answers come at 0, 1 and 2 s. At 4 s, half of what the keep-alive
			// leaves of the silence has passed.
			s.wantServing(i/3*4*time.Second + i%3*time.Second)
		}
	})
}

// connWithoutDeadline is a connection whose reads no deadline interrupts. The reads of
// a program that was stopped are like that: they find data before the timer fires.
type connWithoutDeadline struct{ net.Conn }

func (connWithoutDeadline) SetDeadline(time.Time) error     { return nil }
func (connWithoutDeadline) SetReadDeadline(time.Time) error { return nil }

// After a stop of this program, Watch discards what it reads, since it may be old, and
// reconnects.
func TestWatchDiscardsAnswersFromBeforePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		updates := make(chan Update, 10)
		w, err := newWatcher(WatchRequest{Address: "10.0.0.7:19533", Silence: 3 * time.Second}, func(u Update) { updates <- u })
		if err != nil {
			t.Fatal(err)
		}
		dials := 0
		w.dial = func(context.Context, string) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, errConnRefused
			}
			client, server := net.Pipe()
			go func() {
				a := readWatch(t, server, nil)
				server.Write(a)
				time.Sleep(time.Minute)
				server.Write(a)
			}()
			return connWithoutDeadline{client}, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- w.run(ctx) }()
		time.Sleep(2 * time.Minute)
		cancel()
		<-done
		if first := <-updates; first.Err != nil {
			t.Errorf("the first update is %v, want an answer", first.Err)
		}
		if second := <-updates; second.Err == nil || len(updates) > 0 || dials < 2 {
			t.Errorf("the second update is %+v, with %d more and %d dials; want one error and several dials", second, len(updates), dials)
		}
	})
}

// Watch waits before it redials a server that answers and hangs up.
func TestWatchBacksOff(t *testing.T) {
	testWatch(t, WatchRequest{}, func(n int, conn net.Conn) error {
		go func() { serveWatch(t, conn, nil, 1); conn.Close() }()
		return nil
	}, func(s *watchTest) {
		time.Sleep(time.Minute)
		if n := len(s.updates); n < 200 || n > 300 {
			t.Errorf("Watch dialled %d times in a minute, want 200 to 300", n)
		}
		for len(s.updates) > 0 {
			<-s.updates
		}
	})
}

func TestWatchValidatesRequest(t *testing.T) {
	good := WatchRequest{Address: "127.0.0.1:1", Silence: 3 * time.Second}
	for name, change := range map[string]func(*WatchRequest){
		"long service name":    func(req *WatchRequest) { req.Service = strings.Repeat("s", 256) },
		"address without port": func(req *WatchRequest) { req.Address = "127.0.0.1" },
		"port out of range":    func(req *WatchRequest) { req.Address = "127.0.0.1:65536" },
		"negative keep-alive":  func(req *WatchRequest) { req.KeepAlive = -1 },
		"long keep-alive":      func(req *WatchRequest) { req.KeepAlive = 3 * time.Second },
		"no silence":           func(req *WatchRequest) { req.Silence = 0 },
	} {
		req := good
		change(&req)
		err := Watch(t.Context(), req, func(Update) { t.Errorf("%s: unexpected update", name) })
		if err == nil {
			t.Errorf("%s: Watch accepted %+v", name, req)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Watch(ctx, good, func(Update) {}); err != context.Canceled {
		t.Errorf("with a cancelled context, Watch returned %v", err)
	}
}

func TestWatchOverSockets(t *testing.T) {
	key := testKey(t, 1)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		address := listen(t, "tcp", host+":0", func(req lmp.Request, frame []byte) []byte {
			if req.Kind != lmp.KindWatch || string(req.Service) != "epg" || req.MaxAge != 500*time.Millisecond {
				t.Errorf("received %+v", req)
			}
			serving := answerTo(req)
			not := serving
			not.Status = lmp.StatusNotServing
			b := lmp.AppendAnswer(nil, &not, lmp.MaxLength, key)
			return lmp.AppendAnswer(b, &serving, lmp.MaxLength, key)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var statuses []lmp.Status
		err := Watch(ctx, WatchRequest{address, "epg", 500 * time.Millisecond, time.Minute, key}, func(u Update) {
			if u.Err != nil {
				t.Error(u.Err)
			}
			if statuses = append(statuses, u.Answer.Status); len(statuses) == 2 {
				cancel()
			}
		})
		if err != context.Canceled || len(statuses) != 2 || statuses[1] != lmp.StatusServing {
			t.Errorf("%s: Watch reported %v and returned %v", host, statuses, err)
		}
	}
}
