package lmp

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

// maxHeld is how long an answer may be held between its lookup and its sending, over UDP
// or TCP, which only happens if landmarkd is stopped in between. After that its checker
// has given up, and the program may have hung since.
const maxHeld = time.Second

// serveUDP answers requests over UDP until ctx is done. Those that have arrived together
// are read, answered and sent together, without an allocation except for link-local
// IPv6 clients. An answer that has to wait is sent by another goroutine.
func (s *Server) serveUDP(ctx context.Context) error {
	b, err := newBatch()
	if err != nil {
		return err
	}
	defer b.free()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	err = s.udp.control(func(fd uintptr) error { return s.serveBatches(ctx, &waiting, b, fd) })
	if ctx.Err() != nil {
		return nil // and the socket is closed
	}
	return err
}

// serveBatches is serveUDP with the memory for the requests, and with the socket fd.
func (s *Server) serveBatches(ctx context.Context, waiting *sync.WaitGroup, b *batch, fd uintptr) error {
	arrivals := s.udp.arrivals
	var failed error // what the last receive returned
	handle := func() (enough bool) {
		switch failed = b.receive(fd); failed {
		case nil:
		case unix.EAGAIN:
			failed = nil
			return false
		default:
			return true
		}
		if b.full() {
			arrivals.Ignore() // until there are no more
		}
		s.answerBatch(ctx, waiting, b, fd)
		// A lone request is most often the only one that has arrived, so the loop waits
		// without reading in vain: the next one ends the wait.
		return b.received > 1
	}
	for {
		err := arrivals.Wait(handle)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && failed == nil:
			s.udpLoop.Turned(arrivals.SetDeadline)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// A loop that cannot receive does not work, so it has not turned. But it
			// tries again.
			_ = arrivals.SetDeadline(time.Time{})
		case err != nil:
			return err
		case failed != nil:
			// The error belongs to one datagram, as an ICMP error does, and the
			// next read may succeed. The pause keeps the loop from spinning if
			// it does not.
			s.rejections.Count(failedToReceive)
			if !sleep.For(ctx, 10*time.Millisecond) {
				return nil
			}
		}
	}
}

// answerBatch answers the requests of b, which came from the socket fd. A batch is answered
// at one instant, so requests in a row about the same need one lookup, which takes as long
// as the rest of the work for them, and equal CHECKs in a row get the same answer.
func (s *Server) answerBatch(ctx context.Context, waiting *sync.WaitGroup, b *batch, fd uintptr) {
	timing, began := s.udpAnswers.BeginAll(b.received), time.Now()
	var (
		service         []byte
		maxAge          time.Duration
		a               registry.Answer
		final, lookedUp bool
		frame           []byte // of the last answer's request, nil if equal ones do not get that answer
		rec             record // of that answer
	)
	for i := range b.received {
		d := b.datagram(i, fd)
		if out, ok := repeatDatagramAnswer(b.out, frame, d); ok {
			rec.checker = checkerOf(d)
			b.answer(i, d, out, rec)
			continue
		}
		frame = nil
		q, key, ok := s.parseDatagram(d)
		if !ok {
			continue
		}
		if !lookedUp || maxAge != q.MaxAge || !bytes.Equal(service, q.Service) {
			service, maxAge, lookedUp = q.Service, q.MaxAge, true
			a, final = s.config.Source.Lookup(service, maxAge)
		}
		if !final {
			s.answerAsync(ctx, waiting, d, q, key, timing)
			continue
		}
		rec = recordOf(d, q, &a)
		b.answer(i, d, appendDatagramAnswer(b.out, d, q, &a, key), rec)
		if q.Kind == lmp.KindCheck && key == nil { // each signature must be verified
			frame = d.data[:q.Length]
		}
	}
	if b.answered == 0 {
		return
	}
	if time.Since(began) >= maxHeld {
		s.rejections.Add(held, b.answered)
		return
	}
	sent, unsent := b.send(fd)
	s.udpAnswers.EndAll(timing, sent)
	s.rejections.Add(noRoom, unsent)
	for i := range b.answered {
		if b.sent(i) {
			s.record(&b.records[i])
		}
	}
}

// TurnUDP returns once the loop that answers requests over UDP has turned. It shows that the
// loop works. The error is ctx's. Call it while Run runs, and only once at a time.
func (s *Server) TurnUDP(ctx context.Context) error {
	return s.udpLoop.Turn(ctx, s.udp.arrivals.SetDeadline)
}

// parseDatagram parses the request in a datagram, and returns the key that
// signed it. It counts the requests that it rejects.
func (s *Server) parseDatagram(d datagram) (q lmp.Request, key *lmp.Key, ok bool) {
	if d.destination.groupAddress {
		s.rejections.Count(groupAddress)
		return q, nil, false
	}
	q, key, err := s.parse(d.data)
	switch {
	case err != nil:
		s.rejections.countError(err)
		return q, nil, false
	case q.Kind == lmp.KindWatch:
		s.rejections.Count(watchOverUDP)
		return q, nil, false
	}
	return q, key, true
}

// answerAsync sends the answer once it is final, while other datagrams are
// served. The source limits how many wait.
func (s *Server) answerAsync(ctx context.Context, waiting *sync.WaitGroup, d datagram, q lmp.Request, key *lmp.Key, timing frontend.Timing) {
	timing.Wait()
	// The next batch overwrites what d is in, but not the length of its data.
	q.Service, d.client = bytes.Clone(q.Service), bytes.Clone(d.client)
	client, _ := socket.ClientAt(d.from.Addr()) // all without an address are one
	ctx = registry.WithClient(ctx, client)
	waiting.Go(func() {
		a, err := s.config.Source.Await(ctx, q.Service, q.MaxAge)
		if err != nil {
			s.rejections.countError(err)
			return
		}
		s.sendAwaited(d, q, &a, key, timing, time.Now())
	})
}

// sendAwaited sends the answer to d's request q, which was looked up by then.
func (s *Server) sendAwaited(d datagram, q lmp.Request, a *registry.Answer, key *lmp.Key, timing frontend.Timing, lookedUp time.Time) {
	out := appendDatagramAnswer(nil, d, q, a, key)
	if time.Since(lookedUp) >= maxHeld {
		s.rejections.Count(held)
		return
	}
	switch s.udp.send(out, d) {
	case nil:
		s.udpAnswers.End(timing)
		rec := recordOf(d, q, a)
		s.record(&rec)
	case unix.EAGAIN:
		s.rejections.Count(noRoom)
	}
}

// appendDatagramAnswer appends the answer to d's request q. The answer is no longer than d,
// so that a request with a forged source address makes this server send no more than it
// cost. Of d's data only the length is read.
func appendDatagramAnswer(out []byte, d datagram, q lmp.Request, a *registry.Answer, key *lmp.Key) []byte {
	answer := translate(q, a)
	return lmp.AppendAnswer(out, &answer, min(len(d.data), lmp.MaxDatagram), key)
}

// repeatDatagramAnswer appends the last answer in out, which is to the request in frame, for
// the equal request in d. It reports whether d has one.
func repeatDatagramAnswer(out, frame []byte, d datagram) (_ []byte, ok bool) {
	if frame == nil || d.destination.groupAddress || len(d.data) < len(frame) {
		return out, false
	}
	out, n := lmp.AppendRepeated(out, out[len(out)-lmp.HeaderLength:], frame, d.data[:len(frame)])
	return out, n == 1
}

// record is what is recorded of an answer once it is sent: before, that would make its
// checker wait, and an answer that cannot be sent reaches none.
type record struct {
	check   checkers.Check
	checker checkers.Checker
	at      time.Duration // of the answer
}

// recordOf returns the record of the answer to d's request q. It is valid as long as q.
func recordOf(d datagram, q lmp.Request, a *registry.Answer) record {
	return record{frontend.CheckOf(q.Service, a), checkerOf(d), time.Duration(a.At())}
}

func checkerOf(d datagram) checkers.Checker {
	return checkers.Checker{From: d.from.Addr().Unmap(), Via: checkers.LMPUDP}
}

func (s *Server) record(r *record) { s.config.Checkers.Record(r.check, r.checker, r.at) }

// datagram is one received datagram.
type datagram struct {
	data        []byte // in a batch
	client      []byte // in a batch: the kernel's form of from
	from        netip.AddrPort
	destination destination
}
