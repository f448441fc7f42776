package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// watchPrinter prints a line for each change of a service.
type watchPrinter struct {
	output
	format  format
	started time.Time
	width   int                  // of the longest name so far
	last    map[string]changeKey // by service
}

// changeKey is the part of a service whose change is printed.
type changeKey struct {
	readiness, liveness, startup verdictKey
	drained                      bool
}

// verdictKey is a verdict without its reason, whose ages grow all the time.
type verdictKey struct {
	status statusv1.Status
	cause  statusv1.Cause
	weight uint32
}

func verdictKeyOf(s *statusv1.AspectStatus) verdictKey {
	v := s.GetVerdict()
	return verdictKey{v.GetStatus(), v.GetCause(), v.GetWeight()}
}

// newWatchPrinter returns a printer. It prints times with their date if that is not the
// date of started.
func newWatchPrinter(o output, f format, started time.Time) *watchPrinter {
	return &watchPrinter{output: o, format: f, started: started, last: make(map[string]changeKey)}
}

// print prints the service as it is now, unless nothing has changed.
func (p *watchPrinter) print(s *statusv1.Service, now time.Time) error {
	key := changeKey{verdictKeyOf(s.GetReadiness()), verdictKeyOf(s.GetLiveness()), verdictKeyOf(s.GetStartup()), s.GetDrained()}
	if last, printed := p.last[s.GetName()]; printed && key == last {
		return nil
	}
	p.last[s.GetName()] = key
	if p.format == asJSON {
		return p.printJSON(s, now)
	}
	return p.printText(s, now)
}

func (p *watchPrinter) printJSON(s *statusv1.Service, now time.Time) error {
	m, err := message(s)
	if err != nil {
		return err
	}
	return p.line(struct {
		Time    time.Time       `json:"time"`
		Service json.RawMessage `json:"service"`
	}{now, m})
}

// printText prints columns that are wide enough for any value, so that the lines align.
func (p *watchPrinter) printText(s *statusv1.Service, now time.Time) error {
	name, v := terminal.Printable(s.GetName()), s.GetReadiness().GetVerdict()
	p.width = max(p.width, len(name))
	status := statusCell(v)
	columns := fmt.Sprintf("%s  %-*s  %s  %-10s  %4s", terminal.Clock(now, p.started), p.width, name,
		p.Paint(status.Colour, fmt.Sprintf("%-11s", status.Text)), causeCell(v).Text, weightCell(v).Text)
	if reason := describe.ServiceReason(s); reason != "" {
		columns = p.Hang(columns+"  ", reason)
	}
	_, err := fmt.Fprintln(p.out, columns)
	return err
}
