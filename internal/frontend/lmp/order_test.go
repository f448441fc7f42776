package lmp

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/eventloop"
	"github.com/landmark-health/landmark/lmp"
)

// onePoller reports some events, and ends the loop when all that they caused is done.
type onePoller struct {
	events []eventloop.Event
	stop   func()
}

func (p *onePoller) Wait(serve func() bool) error {
	serve()
	p.stop()
	return nil
}

func (p *onePoller) Poll(events []eventloop.Event) int {
	n := copy(events, p.events)
	p.events = p.events[n:]
	return n
}

func (p *onePoller) Ignore() bool                { return false }
func (p *onePoller) SetDeadline(time.Time) error { return nil }
func (p *onePoller) Close() error                { return nil }

// notedSocket notes the frames that are written to it.
type notedSocket struct {
	requests []byte
	key      int
	note     func(key, frames int)
	full     bool // it takes nothing
	closed   bool
}

func (s *notedSocket) Read(b []byte) (int, error) {
	if len(s.requests) == 0 {
		return 0, unix.EAGAIN
	}
	n := copy(b, s.requests)
	s.requests = s.requests[n:]
	return n, nil
}

func (s *notedSocket) Write(b []byte) (int, error) {
	if s.full {
		return 0, unix.EAGAIN
	}
	frames := 0
	for rest := b; len(rest) > 0; frames++ {
		n, err := lmp.FrameLength(rest)
		if err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	s.note(s.key, frames)
	return len(b), nil
}

func (s *notedSocket) Close() error {
	s.closed = true
	return nil
}

// The first request of a connection is answered before the second request that takes long of
// any other, and those of several connections are answered in turn. CHECKs of a service
// that arrive together are answered together.
func TestFirstRequestsAreAnsweredFirst(t *testing.T) {
	const busy, depth = 100, 8
	for name, long := range map[string]lmp.Request{
		"DESCRIBE":               {Kind: lmp.KindDescribe, Service: []byte("epg")},
		"WATCH":                  {Kind: lmp.KindWatch, Service: []byte("epg")},
		"CHECK of all":           {Kind: lmp.KindCheck},
		"CHECK of all, liveness": {Kind: lmp.KindCheck, Service: []byte("liveness")},
	} {
		// In fake time no round takes long.
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				r, _ := newRegistry(t)
				poller := &onePoller{stop: stop}
				s := newIn(poller, Config{Source: r})
				var answered []int // the keys
				add := func(key int, requests ...[]byte) {
					socket := &notedSocket{key: key, requests: slices.Concat(requests...), note: func(key, frames int) {
						answered = append(answered, slices.Repeat([]int{key}, frames)...)
					}}
					s.newConn(socket, key, clientAddr)
					poller.events = append(poller.events, eventloop.Event{Key: key, Readable: true})
				}
				for key := range busy {
					var requests [][]byte
					for range depth {
						requests = append(requests, newRequest(t, long, nil))
					}
					add(key, requests...)
				}
				add(busy, check(t, "epg"), check(t, "epg"))
				if err := s.serveTCP(ctx); err != nil {
					t.Fatal(err)
				}
				var want []int
				for key := range busy {
					want = append(want, key)
				}
				want = append(want, busy, busy)
				for range depth - 1 {
					want = append(want, want[:busy]...)
				}
				if !slices.Equal(answered, want) {
					t.Errorf("the connections were answered in the order %v, want %v", answered, want)
				}
			})
		})
	}
}

// A new connection displaces one whose checker does not read, and not one that is newer
// and has sent nothing yet. Once the checker has read, its connection stays.
func TestUnreadConnectionIsDisplacedFirst(t *testing.T) {
	for _, reads := range []bool{false, true} {
		ctx, stop := context.WithCancel(t.Context())
		r, _ := newRegistry(t)
		poller := &onePoller{}
		s := newIn(poller, Config{Source: r, MaxConns: 3})
		var sockets [4]notedSocket
		add := func(key int) *conn {
			sockets[key].key, sockets[key].note = key, func(int, int) {}
			return s.newConn(&sockets[key], key, clientAddr)
		}
		sockets[0].requests = check(t, "epg")
		sockets[1].requests, sockets[1].full = describe(t, "epg"), true
		poller.events = []eventloop.Event{{Key: 0, Readable: true}, {Key: 1, Readable: true}}
		add(0)
		unread := add(1)
		var closed []bool
		poller.stop = func() {
			add(2)
			if reads {
				sockets[1].full = false
				unread.Ready()
			}
			add(3)
			for i := range sockets {
				closed = append(closed, sockets[i].closed)
			}
			stop()
		}
		if err := s.serveTCP(ctx); err != nil {
			t.Fatal(err)
		}
		if want := []bool{false, !reads, reads, false}; !slices.Equal(closed, want) {
			t.Errorf("the checker reads: %v: closed are %v, want %v", reads, closed, want)
		}
	}
}
