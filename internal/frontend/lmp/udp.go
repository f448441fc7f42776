package lmp

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// serveDatagrams answers requests over UDP until ctx is done.
func (s *Server) serveDatagrams(ctx context.Context) error {
	var waiting sync.WaitGroup
	defer waiting.Wait()
	in, out := new(reader), make([]byte, 0, lmp.MaxDatagram)
	for {
		d, err := s.udp.read(in)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			// Of one datagram, such as an ICMP error, and the next may be
			// well; if it is not, trying at once would spin.
			if !pause(ctx, 10*time.Millisecond) {
				return nil
			}
			continue
		}
		q, key, ok := s.accept(d)
		if !ok {
			continue
		}
		a, settled := s.config.Source.Lookup(q.Service, q.MaxAge)
		if !settled {
			s.answerLater(ctx, &waiting, d, q, key)
			continue
		}
		s.noteDatagram(d, q, &a)
		answer := translate(q, &a)
		out = lmp.AppendAnswer(out[:0], &answer, datagramLimit(d), key)
		// An answer that cannot be sent is one that was lost on its way.
		_ = s.udp.write(out, d.from, d.destination)
	}
}

// pause waits for d, and reports whether ctx was not done before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// accept reads the request that a datagram holds, and the key that it was
// signed with. What is not to be answered is counted.
func (s *Server) accept(d datagram) (q lmp.Request, key *lmp.Key, ok bool) {
	if d.destination.notUnique {
		s.refusals.count(notOurAddress)
		return q, nil, false
	}
	q, key, err := s.parse(d.data)
	switch {
	case err != nil:
		s.refusals.countError(err)
		return q, nil, false
	case q.Kind == lmp.KindWatch:
		s.refusals.count(watchOverUDP)
		return q, nil, false
	}
	return q, key, true
}

// parse reads a request, and verifies its signature if there are keys.
func (s *Server) parse(b []byte) (lmp.Request, *lmp.Key, error) {
	q, err := lmp.ParseRequest(b)
	if err != nil || len(s.config.Keys) == 0 {
		return q, nil, err
	}
	key, err := s.config.Keys.Verify(b)
	return q, key, err
}

// answerLater answers once the question is settled, while other datagrams are
// served. How many wait is the source's to bound.
func (s *Server) answerLater(ctx context.Context, waiting *sync.WaitGroup, d datagram, q lmp.Request, key *lmp.Key) {
	q.Service = bytes.Clone(q.Service) // the datagram's buffer is about to be read into again
	limit := datagramLimit(d)
	waiting.Go(func() {
		a, err := s.config.Source.Await(ctx, q.Service, q.MaxAge)
		if err != nil {
			return
		}
		s.noteDatagram(d, q, &a)
		answer := translate(q, &a)
		_ = s.udp.write(lmp.AppendAnswer(nil, &answer, limit, key), d.from, d.destination)
	})
}

func (s *Server) noteDatagram(d datagram, q lmp.Request, a *registry.Answer) {
	frontend.Record(s.config.Checkers, checkers.Checker{From: d.from.Addr().Unmap(), Via: checkers.LMPUDP}, q.Service, a)
}

// datagramLimit is the longest that the answer to d may be: no longer than d,
// so that nobody's forged request makes this server send more than it costs.
func datagramLimit(d datagram) int { return min(len(d.data), lmp.MaxDatagram) }
