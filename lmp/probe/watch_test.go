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

// scene is a Watch in a time of its own, and what it told.
type scene struct {
	t      *testing.T
	begun  time.Time
	accept func(n int, conn net.Conn) error        // the server: takes the nth connection, or refuses it
	find   func(context.Context) ([]string, error) // the name servers, nil for the address itself
	dials  []time.Duration                         // since begun
	told   chan told
	end    context.CancelFunc
	ended  chan error
}

type told struct {
	Update
	at time.Duration // since begun
}

// watchScene runs the test with a Watch of three seconds' silence.
func watchScene(t *testing.T, q Question, accept func(int, net.Conn) error, test func(*scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, begun: time.Now(), accept: accept, told: make(chan told, 10_000), ended: make(chan error, 1)}
		s.start(q)
		test(s)
		s.stop()
	})
}

func (s *scene) start(q Question) {
	q.Network, q.Address = "tcp", "10.0.0.7:19533"
	w, err := newWatcher(q, 3*time.Second, func(u Update) { s.told <- told{u, time.Since(s.begun)} })
	if err != nil {
		s.t.Fatal(err)
	}
	w.dial = func(ctx context.Context, _ string) (net.Conn, error) {
		s.dials = append(s.dials, time.Since(s.begun))
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
	if s.find != nil {
		w.names.find = s.find
	}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	go func() { s.ended <- w.run(ctx) }()
}

func (s *scene) stop() {
	s.end()
	begun := time.Now()
	if err := <-s.ended; err != context.Canceled || time.Since(begun) != 0 {
		s.t.Errorf("cancelled, Watch ended with %v after %v", err, time.Since(begun))
	}
	time.Sleep(time.Minute) // of the servers'
	if n := len(s.told); n > 0 {
		s.t.Errorf("%d updates more, the first %+v", n, <-s.told)
	}
}

// at checks that the next update comes so long after the beginning.
func (s *scene) at(want time.Duration) Update {
	s.t.Helper()
	u := <-s.told
	if u.at != want {
		s.t.Errorf("after %v was told %+v; want it after %v", u.at, u.Update, want)
	}
	return u.Update
}

// serving checks that a serving answer is told then, and silence that an Err is.
func (s *scene) serving(at time.Duration) {
	s.t.Helper()
	if u := s.at(at); u.Err != nil || u.Answer.Status != lmp.StatusServing {
		s.t.Errorf("was told %+v, want serving", u)
	}
}

func (s *scene) silence(at time.Duration, says string) {
	s.t.Helper()
	if u := s.at(at); u.Err == nil || !strings.Contains(u.Err.Error(), says) || !strings.Contains(u.Err.Error(), "10.0.0.7:19533") {
		s.t.Errorf("was told %+v, want that there is silence, for %q", u, says)
	}
}

var (
	errBlackHole = errors.New("packets vanish")
	refusedDial  = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
)

// question reads the WATCH that came, and returns a frame that answers it.
func question(t *testing.T, conn net.Conn, key *lmp.Key) []byte {
	frame, err := readFrame(conn)
	if err != nil {
		return nil // it was left before
	}
	q, err := lmp.ParseRequest(frame)
	if err != nil || q.Kind != lmp.KindWatch {
		t.Errorf("was asked %+v, %v", q, err)
	}
	if key != nil && key.Verify(frame) != nil {
		t.Errorf("the question is not signed: %v", key.Verify(frame))
	}
	a := answerTo(q)
	return lmp.AppendAnswer(nil, &a, lmp.MaxLength, key)
}

// keepsAlive answers as landmarkd does, for as long as told.
func keepsAlive(t *testing.T, conn net.Conn, key *lmp.Key, frames int) {
	a := question(t, conn, key)
	for i := range frames {
		if i > 0 {
			time.Sleep(time.Second)
		}
		if _, err := conn.Write(a); err != nil {
			return
		}
	}
}

// Each frame is told, and a server that goes away under it is no event while it
// comes back in time.
func TestWatchTellsEachFrame(t *testing.T) {
	watchScene(t, Question{Service: "epg"}, func(n int, conn net.Conn) error {
		switch {
		case n == 1:
			go func() { keepsAlive(t, conn, nil, 4); conn.Close() }()
		case n < 6:
			return refusedDial
		default:
			go keepsAlive(t, conn, nil, 3)
		}
		return nil
	}, func(s *scene) {
		for i := range 4 {
			s.serving(time.Duration(i) * time.Second)
		}
		again := <-s.told
		if again.Err != nil {
			t.Errorf("a lost connection is told as %v", again.Err)
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
		s.serving(again.at + time.Second)
		s.serving(again.at + 2*time.Second)
	})
}

// Where several frames are read at once, as after a stop of this program, serving is
// told if the last of them says so.
func TestWatchTellsNothingOutlived(t *testing.T) {
	watchScene(t, Question{Service: "epg"}, func(n int, conn net.Conn) error {
		go func() {
			serving := question(t, conn, nil)
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
	}, func(s *scene) {
		for i, want := range []lmp.Status{lmp.StatusNotServing, lmp.StatusNotServing, lmp.StatusNotServing, lmp.StatusNotServing, lmp.StatusServing} {
			if u := <-s.told; u.Err != nil || u.Answer.Status != want {
				t.Errorf("%d: was told %v, %v at %v, want %v", i, u.Answer.Status, u.Err, u.at, want)
			}
		}
	})
}

// Whatever a server does that does not answer the question: after exactly the
// silence it is told once, and the first good frame ends it.
func TestWatchTellsSilence(t *testing.T) {
	key := testKey(t, 1)
	drip := func(conn net.Conn, b []byte, every time.Duration) {
		for i := range b {
			time.Sleep(every)
			if _, err := conn.Write(b[i : i+1]); err != nil {
				return
			}
		}
	}
	garbled := func(change func(*lmp.Answer), signed *lmp.Key) func(*testing.T, net.Conn) {
		return func(t *testing.T, conn net.Conn) {
			b := question(t, conn, key)
			if b == nil {
				return
			}
			a, err := lmp.ParseAnswer(b)
			if err != nil {
				t.Error(err)
			}
			change(&a)
			conn.Write(lmp.AppendAnswer(nil, &a, lmp.MaxLength, signed))
		}
	}
	for name, bad := range map[string]struct {
		serve func(*testing.T, net.Conn)
		says  string
	}{
		"says nothing":   {func(t *testing.T, conn net.Conn) { question(t, conn, key) }, "says nothing"},
		"takes nothing":  {func(t *testing.T, conn net.Conn) {}, "says nothing"},
		"closes at once": {func(t *testing.T, conn net.Conn) { conn.Close() }, "without an answer"},
		"refuses":        {func(t *testing.T, conn net.Conn) { question(t, conn, key); conn.Close() }, "without an answer"},
		"speaks HTTP":    {func(t *testing.T, conn net.Conn) { question(t, conn, key); conn.Write(make([]byte, 64)) }, "malformed"},
		"trickles":       {func(t *testing.T, conn net.Conn) { drip(conn, question(t, conn, key), 400*time.Millisecond) }, "says nothing"},
		"another nonce":  {garbled(func(a *lmp.Answer) { a.Nonce++ }, key), "another question"},
		"answers CHECK":  {garbled(func(a *lmp.Answer) { a.Kind = lmp.KindCheck }, key), "another question"},
		"unsigned":       {garbled(func(a *lmp.Answer) {}, nil), "not signed"},
		"another key":    {garbled(func(a *lmp.Answer) {}, testKey(t, 2)), "another number"},
		"half a frame":   {func(t *testing.T, conn net.Conn) { conn.Write(question(t, conn, key)[:40]); conn.Close() }, "fields"},
	} {
		t.Run(name, func(t *testing.T) {
			const back = 7 * time.Second
			var begun time.Time
			watchScene(t, Question{Service: "epg", Key: key}, func(n int, conn net.Conn) error {
				if n == 1 {
					begun = time.Now()
				}
				go func() {
					switch {
					case n == 1: // well at first
						keepsAlive(t, conn, key, 2)
						time.Sleep(300 * time.Millisecond)
						conn.Close()
					case time.Since(begun) < back:
						bad.serve(t, conn)
					default:
						keepsAlive(t, conn, key, 3)
					}
				}()
				return nil
			}, func(s *scene) {
				s.serving(0)
				s.serving(time.Second)
				s.silence(4*time.Second, bad.says)
				again := <-s.told
				if again.Err != nil || again.at < back || again.at > back+2*time.Second+maxDelay*6/5 {
					t.Errorf("was told %+v", again)
				}
				s.serving(again.at + time.Second)
				s.serving(again.at + 2*time.Second)
			})
		})
	}
}

// From its beginning on it tells the same, whoever does not answer the dialling.
func TestWatchOfNobody(t *testing.T) {
	for says, err := range map[string]error{"connection refused": refusedDial, "deadline exceeded": errBlackHole} {
		watchScene(t, Question{}, func(int, net.Conn) error { return err }, func(s *scene) {
			s.silence(3*time.Second, says)
			time.Sleep(time.Hour) // and no more
			synctest.Wait()
			if n := len(s.dials); n < 2000 {
				t.Errorf("%s: in an hour it dialled %d times", says, n)
			}
		})
	}
}

// A connection whose other end has vanished is made again before the silence is one.
func TestWatchLeavesAHalfOpenConnection(t *testing.T) {
	watchScene(t, Question{}, func(n int, conn net.Conn) error {
		go keepsAlive(t, conn, nil, 3) // then nothing comes, not even an end
		return nil
	}, func(s *scene) {
		for i := range time.Duration(20) {
			// At 0, 1 and 2 s, and 4 s is halfway from when one is missed.
			s.serving(i/3*4*time.Second + i%3*time.Second)
		}
	})
}

// deaf is a connection whose reads no deadline ends: as the read of a program that
// was stopped, which finds data before it knows what time it is.
type deaf struct{ net.Conn }

func (deaf) SetDeadline(time.Time) error     { return nil }
func (deaf) SetReadDeadline(time.Time) error { return nil }

// What this program reads after it was itself stopped may be as old as that: it is
// no word of now, and another connection brings one.
func TestWatchTakesNoOldWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan Update, 10)
		w, err := newWatcher(Question{Address: "10.0.0.7:19533"}, 3*time.Second, func(u Update) { told <- u })
		if err != nil {
			t.Fatal(err)
		}
		dials := 0
		w.dial = func(context.Context, string) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, refusedDial
			}
			client, server := net.Pipe()
			go func() {
				a := question(t, server, nil)
				server.Write(a)
				time.Sleep(time.Minute)
				server.Write(a)
			}()
			return deaf{client}, nil
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.run(ctx) }()
		time.Sleep(2 * time.Minute)
		end()
		<-ended
		if first := <-told; first.Err != nil {
			t.Errorf("was told %v at first", first.Err)
		}
		if then := <-told; then.Err == nil || len(told) > 0 || dials < 2 {
			t.Errorf("then was told %+v, and %d more; it dialled %d times", then, len(told), dials)
		}
	})
}

// A server that answers and hangs up is not dialled without end.
func TestWatchKeepsItsPace(t *testing.T) {
	watchScene(t, Question{}, func(n int, conn net.Conn) error {
		go func() { keepsAlive(t, conn, nil, 1); conn.Close() }()
		return nil
	}, func(s *scene) {
		time.Sleep(time.Minute)
		if n := len(s.told); n < 200 || n > 300 {
			t.Errorf("in a minute it was dialled %d times", n)
		}
		for len(s.told) > 0 {
			<-s.told
		}
	})
}

func TestWatchRefusesQuestions(t *testing.T) {
	good := Question{Network: "tcp", Address: "127.0.0.1:1"}
	for name, change := range map[string]func(*Question){
		"network":    func(q *Question) { q.Network = "udp" },
		"service":    func(q *Question) { q.Service = strings.Repeat("s", 256) },
		"address":    func(q *Question) { q.Address = "127.0.0.1" },
		"port":       func(q *Question) { q.Address = "127.0.0.1:65536" },
		"age":        func(q *Question) { q.MaxAge = -1 },
		"keep-alive": func(q *Question) { q.MaxAge = 3 * time.Second },
	} {
		q := good
		change(&q)
		err := Watch(t.Context(), q, 3*time.Second, func(Update) { t.Errorf("%s: was told something", name) })
		if err == nil {
			t.Errorf("%s: %+v was watched", name, q)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Watch(ctx, good, 3*time.Second, func(Update) {}); err != context.Canceled {
		t.Errorf("cancelled before: %v", err)
	}
}

// Over real sockets, of both families.
func TestWatchOverSockets(t *testing.T) {
	key := testKey(t, 1)
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		address := listen(t, "tcp", host+":0", func(q lmp.Request, request []byte) []byte {
			if q.Kind != lmp.KindWatch || string(q.Service) != "epg" || q.MaxAge != 500*time.Millisecond {
				t.Errorf("asked %+v", q)
			}
			serving := answerTo(q)
			not := serving
			not.Status = lmp.StatusNotServing
			b := lmp.AppendAnswer(nil, &not, lmp.MaxLength, key)
			return lmp.AppendAnswer(b, &serving, lmp.MaxLength, key)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var statuses []lmp.Status
		err := Watch(ctx, Question{"tcp", address, 0, "epg", 500 * time.Millisecond, key}, time.Minute, func(u Update) {
			if u.Err != nil {
				t.Error(u.Err)
			}
			if statuses = append(statuses, u.Answer.Status); len(statuses) == 2 {
				cancel()
			}
		})
		if err != context.Canceled || len(statuses) != 2 || statuses[1] != lmp.StatusServing {
			t.Errorf("%s: told %v, then %v", host, statuses, err)
		}
	}
}
