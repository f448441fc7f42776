package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// lines tells services one a line, and none again that is as it was.
type lines struct {
	output
	format format
	begun  time.Time
	width  int                // of the longest name so far
	last   map[string]essence // by service
}

// essence is what of a service has to differ for it to be told again.
type essence struct {
	readiness, liveness, startup brief
	drained                      bool
}

// brief is a verdict without the reason, which grows older by itself.
type brief struct {
	status statusv1.Status
	cause  statusv1.Cause
	weight uint32
}

func briefly(s *statusv1.Standing) brief {
	v := s.GetVerdict()
	return brief{v.GetStatus(), v.GetCause(), v.GetWeight()}
}

// newLines returns lines that show the day of a time that is not begun's.
func newLines(o output, f format, begun time.Time) *lines {
	return &lines{output: o, format: f, begun: begun, last: make(map[string]essence)}
}

// tell tells how the service is since now.
func (l *lines) tell(s *statusv1.Service, now time.Time) error {
	e := essence{briefly(s.GetReadiness()), briefly(s.GetLiveness()), briefly(s.GetStartup()), s.GetDrained()}
	if last, told := l.last[s.GetName()]; told && e == last {
		return nil
	}
	l.last[s.GetName()] = e
	if l.format == asJSON {
		return l.json(s, now)
	}
	return l.text(s, now)
}

func (l *lines) json(s *statusv1.Service, now time.Time) error {
	m, err := message(s)
	if err != nil {
		return err
	}
	return l.line(struct {
		Time    time.Time       `json:"time"`
		Service json.RawMessage `json:"service"`
	}{now, m})
}

// text tells it in columns, each as wide as what stands there can be.
func (l *lines) text(s *statusv1.Service, now time.Time) error {
	name, v := printable(s.GetName()), s.GetReadiness().GetVerdict()
	l.width = max(l.width, len(name))
	status := statusCell(v)
	line := fmt.Sprintf("%s  %-*s  %s  %-10s  %4s  %s", clock(now, l.begun), l.width, name,
		l.paint(status.colour, fmt.Sprintf("%-11s", status.text)), causeCell(v).text, weightCell(v).text, reasonOf(s))
	_, err := fmt.Fprintln(l.out, strings.TrimRight(line, " "))
	return err
}
