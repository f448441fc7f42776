package lmp

import (
	"net"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// overEach runs the test with a new checker over UDP, and with one over TCP.
func (s *serving) overEach(t *testing.T, test func(*testing.T, net.Conn)) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) { test(t, s.dial(t, network)) })
	}
}

// answer waits for the answer to the request.
func answer(t *testing.T, conn net.Conn, request []byte) lmp.Answer {
	t.Helper()
	b := make([]byte, lmp.MaxLength)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, b[:n], request)
}

// await waits for what must come.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatal("it has not come")
	}
	return v
}

func TestQuestionIsHeldDuringTheStartGrace(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			r := registry.New(runningClock(t), time.Hour)
			source := newPatient(r)
			s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
			conn, q := s.dial(t, network), check(t, "epg")
			write(t, conn, q)
			await(t, source.waits)

			// Others are answered in the meantime, and of what they ask about.
			report(t, r, "vod", loops("main"), wedged())
			other, p := s.dial(t, network), check(t, "vod")
			write(t, other, p)
			told(t, answer(t, other, p), lmp.StatusNotServing, lmp.CauseStalled)

			report(t, r, "epg", loops("main"), fact(0))
			told(t, answer(t, conn, q), lmp.StatusServing, lmp.CauseNone)
		})
	}
}

func TestQuestionIsHeldNoLongerThanTheStartGrace(t *testing.T) {
	const grace = 50 * time.Millisecond
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			begun := time.Now()
			s := serve(t, Config{Address: "127.0.0.1:0", Source: registry.New(runningClock(t), grace)})
			conn, q := s.dial(t, network), check(t, "epg")
			write(t, conn, q)
			told(t, answer(t, conn, q), lmp.StatusUnknownService, lmp.CauseUnknownService)
			if took := time.Since(begun); took < grace {
				t.Errorf("the answer came after %v", took)
			}
		})
	}
}

func TestQuestionWaitsForTheMainLoop(t *testing.T) {
	r, p := newRegistry(t)
	source := newPatient(r)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
	for _, kind := range []lmp.Kind{lmp.KindCheck, lmp.KindDescribe} {
		s.overEach(t, func(t *testing.T, conn net.Conn) {
			p.report(0, fact(longAgo))
			q := fresh(t, kind)
			write(t, conn, q)
			number := await(t, p.commands)
			p.report(number, fact(0))
			a := answer(t, conn, q)
			told(t, a, lmp.StatusServing, lmp.CauseNone)
			if a.Age > time.Second {
				t.Errorf("the facts are %v old", a.Age)
			}
		})
	}
	if n := len(source.waits); n != 4 {
		t.Errorf("%d of 4 questions waited", n)
	}
}

// A main loop that does not answer: this checker is told so, and nobody else.
func TestQuestionThatTheMainLoopDoesNotAnswer(t *testing.T) {
	r := registry.New(runningClock(t), 0)
	quick := loops("main")
	quick[0].Within = 20 * time.Millisecond
	report(t, r, "epg", quick, fact(longAgo))
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	s.overEach(t, func(t *testing.T, conn net.Conn) {
		q := request(t, lmp.Request{Kind: lmp.KindDescribe, Service: []byte("epg"), MaxAge: time.Second}, nil)
		padded := with(q, append([]byte{0x02, 200}, make([]byte, 200)...)...)
		write(t, conn, padded)
		a := answer(t, conn, padded)
		told(t, a, lmp.StatusNotServing, lmp.CauseStalled)
		if a.Weight != 0 || a.Reason == "" || a.Age < longAgo {
			t.Errorf("%+v", a)
		}
		q = check(t, "epg")
		write(t, conn, q)
		told(t, answer(t, conn, q), lmp.StatusServing, lmp.CauseNone)
	})
}

// A question that waits is a copy: what comes in the meantime does not change
// what it is about, who asked it, or how long its answer may be.
func TestManyQuestionsWait(t *testing.T) {
	r := registry.New(runningClock(t), time.Hour)
	source := newPatient(r)
	k := key(t, 1, "a")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source, Keys: lmp.Keys{key(t, 2, "b"), k}})
	names := []string{"a", "bb", "ccc", "dddd", "eeeee"}
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			var conns []net.Conn
			var questions [][]byte
			for i, name := range names {
				service := []byte(network + name)
				q := request(t, lmp.Request{Kind: lmp.KindDescribe, Service: service}, k)
				if network == "udp" {
					q = append(q, make([]byte, 40*i)...) // padding
				}
				conn := s.dial(t, network)
				write(t, conn, q)
				await(t, source.waits)
				conns, questions = append(conns, conn), append(questions, q)
			}
			for i, name := range names {
				report(t, r, network+name, loops(name), fact(0))
				b := make([]byte, lmp.MaxLength)
				n, err := conns[i].Read(b)
				if err != nil {
					t.Fatal(err)
				}
				a := parse(t, b[:n], questions[i])
				told(t, a, lmp.StatusServing, lmp.CauseNone)
				if err := k.Verify(b[:n]); err != nil {
					t.Error(err)
				}
				if network == "udp" && n > len(questions[i]) {
					t.Errorf("%d bytes answer %d", n, len(questions[i]))
				}
				if whole := network == "tcp" || i > 0; a.Truncated == whole || whole && a.Landmarks[0].Name != name {
					t.Errorf("%s: %+v", name, a)
				}
			}
		})
	}
}

// The sidecar stops: whoever waits gets no answer, for there is none.
func TestStopWhileQuestionsWait(t *testing.T) {
	r := registry.New(runningClock(t), time.Hour)
	report(t, r, "idle", loops("main"), fact(longAgo))
	source := newPatient(r)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: source})
	udp, tcp := newChecker(t, s.at("127.0.0.1")), s.dial(t, "tcp")
	for _, q := range [][]byte{
		check(t, "epg"),
		request(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("idle"), MaxAge: time.Second}, nil),
	} {
		udp.send(s.at("127.0.0.1"), q)
		await(t, source.waits)
	}
	write(t, tcp, check(t, "epg"))
	await(t, source.waits)
	s.stop()
	closed(t, tcp)
	udp.silent()
}
