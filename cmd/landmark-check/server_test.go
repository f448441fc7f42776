package main

import (
	"io"
	"net"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// answers are those of the test server. Other services are unknown to it.
var answers = map[string]lmp.Answer{
	"epg":       {Status: lmp.StatusServing, Weight: 100},
	"degraded":  {Status: lmp.StatusServing, Weight: 30, Degraded: true},
	"stalled":   {Status: lmp.StatusNotServing, Cause: lmp.CauseStalled},
	"draining":  {Status: lmp.StatusNotServing, Cause: lmp.CauseDraining},
	"undecided": {Status: lmp.StatusUnknown},
	"future":    {Status: 9, Cause: 42, Weight: 100},
}

// server is a small LMP server.
type server struct {
	keys lmp.Keys
}

// reply returns the answer to a request, or nil if it gets none.
func (s *server) reply(frame []byte) []byte {
	q, err := lmp.ParseRequest(frame)
	if err != nil {
		return nil
	}
	var key *lmp.Key
	if len(s.keys) > 0 {
		if key, err = s.keys.Verify(frame); err != nil {
			return nil
		}
	}
	a, known := answers[string(q.Service)]
	if !known {
		a = lmp.Answer{Status: lmp.StatusUnknownService, Cause: lmp.CauseUnknownService}
	}
	if string(q.Service) == "aged" && q.MaxAge == 250*time.Millisecond {
		a = answers["epg"]
	}
	a.Kind, a.Nonce = q.Kind, q.Nonce
	return lmp.AppendAnswer(nil, &a, len(frame), key)
}

// stream answers requests on a connection until one gets no answer.
func (s *server) stream(conn net.Conn) {
	for {
		frame := make([]byte, lmp.HeaderLength)
		if _, err := io.ReadFull(conn, frame); err != nil {
			return
		}
		n, err := lmp.FrameLength(frame)
		if err != nil {
			return
		}
		frame = append(frame, make([]byte, n-len(frame))...)
		if _, err := io.ReadFull(conn, frame[lmp.HeaderLength:]); err != nil {
			return
		}
		b := s.reply(frame)
		if b == nil {
			return
		}
		conn.Write(b)
	}
}
