package lmp

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// An answer that was looked up before landmarkd was stopped is not sent after it, because
// the program may have hung since. Only an answer that was sent counts, and only its
// checker is recorded.
func TestOnlySentAnswersCount(t *testing.T) {
	for name, tt := range map[string]struct {
		held       time.Duration
		unsendable bool // the kernel sends nothing to port 0
		want       int  // answers
		refused    uint64
	}{
		"at once":        {0, false, 1, 0},
		"almost held":    {maxHeld - 1, false, 1, 0},
		"held":           {maxHeld, false, 0, 1},
		"cannot be sent": {0, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			socket := newBatchSocket(t, "127.0.0.1:0")
			c, q := newUDPClient(t, socket.at("127.0.0.1")), check(t, "epg")
			c.send(socket.at("127.0.0.1"), q)
			socket.receive(t)
			if tt.unsendable {
				copy(socket.slots[0].client[2:], []byte{0, 0})
			}
			checkers := frontendtest.NewTracker()
			synctest.Test(t, func(t *testing.T) {
				r, _ := newRegistry(t)
				source := &stoppedSource{Source: r, stop: func() { time.Sleep(tt.held) }}
				s := &Server{config: Config{Source: source, Checkers: checkers}, rejections: newRejections()}
				var waiting sync.WaitGroup
				s.answerBatch(context.Background(), &waiting, socket.batch, socket.file.Fd())
				if udp, _ := s.Answers(); udp.Count() != uint64(tt.want) {
					t.Errorf("counted %d answers, want %d", udp.Count(), tt.want)
				}
				if got := s.rejections.Counted(held); got != tt.refused {
					t.Errorf("counted %d answers that were held, want %d", got, tt.refused)
				}
			})
			var want []string
			if tt.want > 0 {
				want = []string{"epg: 127.0.0.1 lmp-udp 1"}
				b, _ := c.receive()
				parseAnswer(t, b, q)
			}
			c.wantNothing()
			if got := recorded(checkers, "epg"); !slices.Equal(got, want) {
				t.Errorf("recorded %q, want %q", got, want)
			}
		})
	}
}

// Nor is one that a request waited for.
func TestAwaitedAnswerIsNotSentLate(t *testing.T) {
	for name, tt := range map[string]struct {
		held time.Duration
		want []string // what is recorded
	}{
		"almost held": {maxHeld - 1, []string{"epg: 127.0.0.1 lmp-udp 1"}},
		"held":        {maxHeld, nil},
	} {
		t.Run(name, func(t *testing.T) {
			socket := newBatchSocket(t, "127.0.0.1:0")
			c, request := newUDPClient(t, socket.at("127.0.0.1")), check(t, "epg")
			c.send(socket.at("127.0.0.1"), request)
			d, checkers := socket.receive(t)[0], frontendtest.NewTracker()
			synctest.Test(t, func(t *testing.T) {
				r, _ := newRegistry(t)
				s := &Server{config: Config{Source: r, Checkers: checkers}, udp: socket.udpSocket, rejections: newRejections()}
				q, key, ok := s.parseDatagram(d)
				a, final := r.Lookup(q.Service, q.MaxAge)
				if !ok || !final {
					t.Fatalf("the request is right: %v, and its answer is final: %v", ok, final)
				}
				s.sendAwaited(d, q, &a, key, s.udpAnswers.Begin(), time.Now().Add(-tt.held))
				if got, want := s.rejections.Counted(held), uint64(1-len(tt.want)); got != want {
					t.Errorf("counted %d answers that were held, want %d", got, want)
				}
			})
			if tt.want != nil {
				b, _ := c.receive()
				parseAnswer(t, b, request)
			}
			c.wantNothing()
			if got := recorded(checkers, "epg"); !slices.Equal(got, tt.want) {
				t.Errorf("recorded %q, want %q", got, tt.want)
			}
		})
	}
}

// lookupSource notes each lookup.
type lookupSource struct {
	frontend.Source
	lookups []string
}

func (s *lookupSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	s.lookups = append(s.lookups, fmt.Sprintf("%s %v", name, maxAge))
	return s.Source.Lookup(name, maxAge)
}

// Requests in a row about the same are looked up once, and each gets its own answer.
func TestSameRequestsAreLookedUpOnce(t *testing.T) {
	r, _ := newRegistry(t)
	source := &lookupSource{Source: r}
	s := &Server{config: Config{Source: source, Checkers: frontendtest.NewTracker()}, rejections: newRejections()}
	socket := newBatchSocket(t, "127.0.0.1:0")
	c, to := newUDPClient(t, socket.at("127.0.0.1")), socket.at("127.0.0.1")
	var requests [][]byte
	request := func(kind lmp.Kind, service string, maxAge time.Duration) {
		requests = append(requests, newRequest(t, lmp.Request{Kind: kind, Service: []byte(service), MaxAge: maxAge}, nil))
	}
	request(lmp.KindCheck, "", 0)
	request(lmp.KindCheck, "", 0)
	request(lmp.KindCheck, "epg", 0)
	request(lmp.KindDescribe, "epg", 0)
	request(lmp.KindCheck, "epg", time.Hour)
	request(lmp.KindCheck, "nobody", time.Hour)
	request(lmp.KindCheck, "nobody", time.Hour)
	request(lmp.KindCheck, "epg", time.Hour)
	for _, q := range requests {
		c.send(to, q)
	}
	if n := len(socket.receive(t)); n != len(requests) {
		t.Fatalf("received %d of %d requests together", n, len(requests))
	}
	var waiting sync.WaitGroup
	s.answerBatch(t.Context(), &waiting, socket.batch, socket.file.Fd())
	if want := []string{" 0s", "epg 0s", "epg 1h0m0s", "nobody 1h0m0s", "epg 1h0m0s"}; !slices.Equal(source.lookups, want) {
		t.Errorf("looked up %q, want %q", source.lookups, want)
	}
	for i, q := range requests {
		b, _ := c.receive()
		want := lmp.StatusServing
		if i == 5 || i == 6 {
			want = lmp.StatusUnknownService
		}
		if a := parseAnswer(t, b, q); a.Status != want {
			t.Errorf("request %d: %+v, want %v", i, a, want)
		}
	}
}

// Equal CHECKs in a row get the same answer, each with its nonce, and each of their checkers is
// recorded. What must not be answered is not, and changes nothing for what follows.
func TestEqualDatagramsGetTheSameAnswer(t *testing.T) {
	const client, other = "127.0.0.1", "127.0.0.3"
	q := check(t, "epg")
	k := newKey(t, 1, "a")
	signed := newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), Nonce: 1}, k)
	described := append(describe(t, "epg"), make([]byte, 200)...)                // so that there is room for fields
	group := func(s *batchSocket) { s.slots[1].control[unix.CmsgLen(0)+8] ^= 1 } // the address that it was sent to
	completed := func(s *batchSocket) { copy(s.data[maxDatagram:], q) }          // by what was received before
	for name, tt := range map[string]struct {
		keys    lmp.Keys
		first   []byte
		next    []byte
		from    string
		change  func(*batchSocket) // of the next, once it has arrived
		answers bool               // the next gets one
		refused rejection          // else
	}{
		"equal":             {first: q, next: withNonce(q, 2), from: client, answers: true},
		"of another":        {first: q, next: withNonce(q, 2), from: other, answers: true},
		"longer":            {first: q, next: append(withNonce(q, 2), q...), from: client, answers: true},
		"after longer":      {first: append(bytes.Clone(q), q...), next: withNonce(q, 2), from: client, answers: true},
		"DESCRIBE":          {first: q, next: describe(t, "epg"), from: client, answers: true},
		"two of DESCRIBE":   {first: described, next: described, from: client, answers: true},
		"shorter":           {first: q, next: q[:len(q)-1], from: client, change: completed, refused: malformed},
		"to a group":        {first: q, next: withNonce(q, 2), from: client, change: group, refused: groupAddress},
		"signed":            {keys: lmp.Keys{k}, first: signed, next: signed, from: client, answers: true},
		"not signed for it": {keys: lmp.Keys{k}, first: signed, next: withNonce(signed, 2), from: client, refused: unauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := newRegistry(t)
			tracker := frontendtest.NewTracker()
			s := &Server{config: Config{Source: r, Checkers: tracker, Keys: tt.keys}, rejections: newRejections()}
			socket := newBatchSocket(t, client+":0")
			c, next := newUDPClientAt(t, client), newUDPClientAt(t, tt.from)
			c.send(socket.at(client), tt.first)
			next.send(socket.at(client), tt.next)
			c.send(socket.at(client), tt.first)
			if n := len(socket.receive(t)); n != 3 {
				t.Fatalf("received %d of 3 requests together", n)
			}
			if tt.change != nil {
				tt.change(socket)
			}
			var waiting sync.WaitGroup
			s.answerBatch(t.Context(), &waiting, socket.batch, socket.file.Fd())
			for range 2 {
				b, _ := c.receive()
				wantAnswer(t, parseAnswer(t, b, tt.first), lmp.StatusServing, lmp.CauseNone)
			}
			counts := map[string]int{client: 2}
			if tt.answers {
				b, _ := next.receive()
				wantAnswer(t, parseAnswer(t, b, tt.next), lmp.StatusServing, lmp.CauseNone)
				counts[tt.from]++
			} else if got := s.rejections.Counted(tt.refused); got != 1 {
				t.Errorf("counted %d for reason %d, want 1", got, tt.refused)
			}
			c.wantNothing()
			next.wantNothing()
			var want []string
			for _, from := range slices.Sorted(maps.Keys(counts)) {
				want = append(want, fmt.Sprintf("epg: %s lmp-udp %d", from, counts[from]))
			}
			if got := recorded(tracker, "epg"); !slices.Equal(got, want) {
				t.Errorf("recorded %q, want %q", got, want)
			}
		})
	}
}
