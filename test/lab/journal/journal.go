// Package journal is the record of a laboratory run: one JSON object a line on the console of the machine, each with a
// prefix, because the kernel writes to the console too. The program in the machine writes it, the test on the host reads
// and checks it. All times are monotonic durations since the journal was begun.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// prefix begins every line of the journal.
const prefix = "lab-journal "

// A Step is something that the scenario did or waited for, and when.
type Step struct {
	Name string
	At   time.Duration
}

// A Table is the director's table of one virtual service, from At until the next Table of that service: the weight of each
// real server. A server that is missing, or has the weight 0, gets no new connections.
type Table struct {
	Service string
	Weights map[string]int // by the server's name
	At      time.Duration
}

// A Request is one request of a client through a virtual service.
type Request struct {
	Service    string
	Start, End time.Duration
	OK         bool
}

// A Drain is the effect of a drain of rs1 on the connections through one virtual service.
type Drain struct {
	Crowd       int // how many connections the scenario opens before the drain, and again after it
	Service     string
	Established int    // connections that were open when the drain began
	OnDrained   int    // those of them that the director had sent to rs1
	Broken      int    // those of Established that got no answer after rs1 was out
	Why         string // the error of one of them; empty if all got an answer
	New         int    // connections opened after rs1 was out
	Failed      int    // those of New that got no answer
	Misrouted   int    // those of New that the director sent to rs1
}

// A Cost is the processor time, in user and system mode, of a director's programs and all their children.
type Cost struct {
	Way     string
	Targets int
	Elapsed time.Duration
	CPU     time.Duration
	Checks  int // the number of checks in Elapsed
}

// A Speed is how fast the machine was when it had booted, and the timeouts derived from that.
type Speed struct {
	Start   time.Duration // the longest start of a process
	Delay   time.Duration // the longest scheduling delay
	Timeout time.Duration // how long checkers retry
	Within  time.Duration // the time within which a main loop must answer
}

// A Gap is a time in which the machine did not run, not even its thread of the highest priority: the host stopped it.
type Gap struct{ At, For time.Duration }

// A Verdict is a change of the answer of a real server's sidecar. It lies between two checks.
type Verdict struct {
	Server    string
	Answer    string        // a cause of the protocol, Serving, or empty if there was no answer
	LastBegan time.Duration // the beginning of the last check with the answer before
	Began     time.Duration // the beginning of the first check with this answer
	At        time.Duration // the end of that check
}

// line is one line of the journal; exactly one field is set.
type line struct {
	Speed   *Speed   `json:",omitempty"`
	Gap     *Gap     `json:",omitempty"`
	Verdict *Verdict `json:",omitempty"`
	Step    *Step    `json:",omitempty"`
	Table   *Table   `json:",omitempty"`
	Request *Request `json:",omitempty"`
	Drain   *Drain   `json:",omitempty"`
	Cost    *Cost    `json:",omitempty"`
	Failure string   `json:",omitempty"`
	End     bool     `json:",omitempty"`
}

// Writer writes a journal. Its methods may be called from several goroutines at once.
type Writer struct {
	began time.Time

	mu  sync.Mutex // guards w, so that lines stay whole
	w   io.Writer
	err error // the first failed write
}

// NewWriter begins a journal on w. Its time starts at 0 now.
func NewWriter(w io.Writer) *Writer {
	return &Writer{began: time.Now(), w: w}
}

// Now returns the journal's time.
func (j *Writer) Now() time.Duration { return time.Since(j.began) }

// Step writes that a step was taken.
func (j *Writer) Step(s Step) { j.write(line{Step: &s}) }

// Speed writes how fast the machine is.
func (j *Writer) Speed(p Speed) { j.write(line{Speed: &p}) }

// Gap writes that the machine did not run.
func (j *Writer) Gap(g Gap) { j.write(line{Gap: &g}) }

// Verdict writes a change of a sidecar's answer.
func (j *Writer) Verdict(v Verdict) { j.write(line{Verdict: &v}) }

// Table writes a change of a director's table.
func (j *Writer) Table(t Table) { j.write(line{Table: &t}) }

// Request writes a client's request that has ended.
func (j *Writer) Request(r Request) { j.write(line{Request: &r}) }

// Drain writes the effect of a drain.
func (j *Writer) Drain(d Drain) { j.write(line{Drain: &d}) }

// Cost writes the cost of checks.
func (j *Writer) Cost(c Cost) { j.write(line{Cost: &c}) }

// Failure writes why the scenario failed.
func (j *Writer) Failure(err error) { j.write(line{Failure: err.Error()}) }

// End ends the journal. Nothing may be written after it. It returns the first error of any write.
func (j *Writer) End() error {
	j.write(line{End: true})
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *Writer) write(l line) {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // no field of a line can fail to marshal
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := fmt.Fprintf(j.w, "%s%s\n", prefix, text); err != nil && j.err == nil {
		j.err = fmt.Errorf("writing the journal: %w", err)
	}
}

// Run is a journal that was read, each kind of line in the order in which it was written.
type Run struct {
	Speed    Speed
	Gaps     []Gap
	Verdicts []Verdict
	Steps    []Step
	Tables   []Table
	Requests []Request
	Drains   []Drain
	Costs    []Cost
	Failure  string // why the scenario stopped early; empty if it did not
}

// IsLine reports whether a line of a console belongs to the journal.
func IsLine(line string) bool { return strings.Contains(line, prefix) }

// Read reads the journal in a console's text. It ignores lines that do not belong to the journal. A journal without its end
// is an error: the machine died.
func Read(r io.Reader) (Run, error) {
	var run Run
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, text, found := bytes.Cut(lines.Bytes(), []byte(prefix))
		if !found {
			continue
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return run, fmt.Errorf("reading journal line %q: %w", text, err)
		}
		switch {
		case l.Step != nil:
			run.Steps = append(run.Steps, *l.Step)
		case l.Speed != nil:
			run.Speed = *l.Speed
		case l.Gap != nil:
			run.Gaps = append(run.Gaps, *l.Gap)
		case l.Verdict != nil:
			run.Verdicts = append(run.Verdicts, *l.Verdict)
		case l.Table != nil:
			run.Tables = append(run.Tables, *l.Table)
		case l.Request != nil:
			run.Requests = append(run.Requests, *l.Request)
		case l.Drain != nil:
			run.Drains = append(run.Drains, *l.Drain)
		case l.Cost != nil:
			run.Costs = append(run.Costs, *l.Cost)
		case l.Failure != "":
			run.Failure = l.Failure
		case l.End:
			return run, nil
		}
	}
	if err := lines.Err(); err != nil {
		return run, fmt.Errorf("reading the console: %w", err)
	}
	return run, fmt.Errorf("the journal has no end, only %d lines: %w",
		len(run.Steps)+len(run.Tables)+len(run.Requests)+len(run.Drains)+len(run.Costs), io.ErrUnexpectedEOF)
}
