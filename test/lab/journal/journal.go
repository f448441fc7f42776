// Package journal is what a laboratory run says of itself: one JSON object a line on the console of the machine that it
// runs in, told from the kernel's own lines by a prefix. The program inside writes it, the test on the host reads and
// judges it. All times are monotonic durations since the journal was begun.
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

// prefix begins every journal line. The console also carries kernel messages and logs.
const prefix = "lab-journal "

// A Step is something that the scenario did or waited for, at the moment it was done or seen.
type Step struct {
	Name string
	At   time.Duration
}

// A Table is what the director has of one virtual service, from At until the next Table of the same service: the weight
// of each real server that it knows. A server that is not there, or has the weight 0, gets no new connections.
type Table struct {
	Service string
	Weights map[string]int // by the server's name
	At      time.Duration
}

// A Request is one question of a client through a virtual service.
type Request struct {
	Service    string
	Start, End time.Duration
	OK         bool
}

// A Drain is what a drain of rs1 meant to those who were connected through one virtual service, and to newcomers.
type Drain struct {
	Crowd       int // how many connections there were to be, before it and after it
	Service     string
	Established int    // connections that were open when the drain began
	OnDrained   int    // those of them that the balancer had sent to rs1
	Broken      int    // those of Established that got no answer once rs1 was out
	Why         string // why one of them did not; empty if all did
	New         int    // connections opened once rs1 was out
	Failed      int    // those of New that got no answer
	Strayed     int    // those of New that the balancer sent to rs1
}

// A Cost is the processor time, in user and system mode, that a director's programs and all their children took.
type Cost struct {
	Way     string
	Targets int
	Elapsed time.Duration
	CPU     time.Duration
	Checks  int // how many checks were made, or answers pushed, in Elapsed
}

// A Pace is how fast the machine proved to be when it had booted, and the times that were derived from it.
type Pace struct {
	Start    time.Duration // the longest start of a process
	Delay    time.Duration // the longest scheduling delay meanwhile
	Patience time.Duration // for how long checkers retry
	Within   time.Duration // for how long a main loop may leave its command unanswered
}

// A Gap is a time in which the machine ran nothing, not even its most urgent thread: the host gave it no processor.
type Gap struct{ At, For time.Duration }

// A Verdict is a change in what the sidecar of a real server answers. Questions are put all the time, so each change lies
// between two of them.
type Verdict struct {
	Server string
	Says   string        // a cause of the protocol, Serving, or empty if there was no answer
	Before time.Duration // when the last question was put that had the answer before
	Asked  time.Duration // when the first question was put that had this answer
	At     time.Duration // when it was answered
}

// line is one line of the journal; exactly one field is set.
type line struct {
	Pace    *Pace    `json:",omitempty"`
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

// NewWriter begins a journal on w: its time zero is now.
func NewWriter(w io.Writer) *Writer {
	return &Writer{began: time.Now(), w: w}
}

// Now returns the journal's time.
func (j *Writer) Now() time.Duration { return time.Since(j.began) }

// Step writes that the named step was taken.
func (j *Writer) Step(s Step) { j.write(line{Step: &s}) }

// Pace writes how fast the machine is.
func (j *Writer) Pace(p Pace) { j.write(line{Pace: &p}) }

// Gap writes that the machine stood still.
func (j *Writer) Gap(g Gap) { j.write(line{Gap: &g}) }

// Verdict writes a change of what a sidecar answers.
func (j *Writer) Verdict(v Verdict) { j.write(line{Verdict: &v}) }

// Table writes a change of a director's table.
func (j *Writer) Table(t Table) { j.write(line{Table: &t}) }

// Request writes a client's request that has ended.
func (j *Writer) Request(r Request) { j.write(line{Request: &r}) }

// Drain writes what a drain did.
func (j *Writer) Drain(d Drain) { j.write(line{Drain: &d}) }

// Cost writes what checks cost.
func (j *Writer) Cost(c Cost) { j.write(line{Cost: &c}) }

// Failure writes that the scenario could not be played to its end.
func (j *Writer) Failure(err error) { j.write(line{Failure: err.Error()}) }

// End closes the journal: nothing may be written afterwards. It returns the first error that any write met.
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

// Run is a journal that has been read back, each kind of line in the order it was written.
type Run struct {
	Pace     Pace
	Gaps     []Gap
	Verdicts []Verdict
	Steps    []Step
	Tables   []Table
	Requests []Request
	Drains   []Drain
	Costs    []Cost
	Failure  string // why the scenario stopped early; empty if it did not
}

// Written tells whether a line of a console is the journal's.
func Written(line string) bool { return strings.Contains(line, prefix) }

// Read reads a journal out of a console's text and passes over every line that is not the journal's. It is an error if
// the journal does not come to its end: the machine then died while it ran.
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
		case l.Pace != nil:
			run.Pace = *l.Pace
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
	return run, fmt.Errorf("the journal breaks off after %d lines: %w",
		len(run.Steps)+len(run.Tables)+len(run.Requests)+len(run.Drains)+len(run.Costs), io.ErrUnexpectedEOF)
}
