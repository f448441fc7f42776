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

// A Table is the set of real servers of one virtual service that the director's kernel sends new connections to, from
// At until the next Table of the same service. Servers are named in the scenario's words and sorted.
type Table struct {
	Service string
	Servers []string
	At      time.Duration
}

// A Request is one question of a client through a virtual service.
type Request struct {
	Service    string
	Start, End time.Duration
	OK         bool
}

// line is one line of the journal; exactly one field is set.
type line struct {
	Step    *Step    `json:",omitempty"`
	Table   *Table   `json:",omitempty"`
	Request *Request `json:",omitempty"`
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

// Step writes that the named step was reached now.
func (j *Writer) Step(name string) { j.write(line{Step: &Step{Name: name, At: j.Now()}}) }

// Table writes a change of the IPVS table.
func (j *Writer) Table(t Table) { j.write(line{Table: &t}) }

// Request writes a client's request that has ended.
func (j *Writer) Request(r Request) { j.write(line{Request: &r}) }

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
	Steps    []Step
	Tables   []Table
	Requests []Request
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
		case l.Table != nil:
			run.Tables = append(run.Tables, *l.Table)
		case l.Request != nil:
			run.Requests = append(run.Requests, *l.Request)
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
		len(run.Steps)+len(run.Tables)+len(run.Requests), io.ErrUnexpectedEOF)
}
