package sdnotify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/hostclock"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

const (
	// maxFile is the largest size of the file, in bytes.
	maxFile = 64 << 20
	// fileVersion is the version of the format. landmarkd ignores files of other ones.
	fileVersion = 1
	// pauseFactor times the duration of a write is the pause after it, at most maxPause.
	pauseFactor = 9
	maxPause    = 500 * time.Millisecond
	// interval is how old the ages in the file may be.
	interval = time.Second
)

// document is the JSON document in the file. Ages are those at the time of writing: a
// landmarkd that did not run could not receive, so that silence meanwhile is not the
// program's. Only that a process is stopped is the kernel's to say.
type document struct {
	Version int    `json:"version"`
	Boot    string `json:"boot"`
	// At is the time of writing, in microseconds of CLOCK_MONOTONIC.
	At        uint64         `json:"at_us"`
	Processes []savedProcess `json:"processes"`
}

// savedProcess is a process, and what it has said.
type savedProcess struct {
	Service   string          `json:"service"`
	PID       int             `json:"pid"`
	Start     uint64          `json:"start"` // in ticks since boot
	UID       uint32          `json:"uid"`
	Instance  string          `json:"instance"`
	Reported  time.Duration   `json:"reported_ns"` // the age of its last report
	Frozen    bool            `json:"frozen,omitempty"`
	Ready     bool            `json:"ready,omitempty"`
	Reloading bool            `json:"reloading,omitempty"`
	Stopping  bool            `json:"stopping,omitempty"`
	Drain     bool            `json:"drain,omitempty"`
	Text      string          `json:"text,omitempty"`
	Errno     int             `json:"errno,omitempty"`
	Timeout   *time.Duration  `json:"watchdog_ns,omitempty"`
	Extended  time.Duration   `json:"extended_ns,omitempty"` // for how much longer
	ReadyMark savedLandmark   `json:"ready_mark"`
	Watchdog  savedLandmark   `json:"watchdog_mark"`
	Own       []savedLandmark `json:"own,omitempty"`
}

// savedLandmark is a landmark, and what was said of it.
type savedLandmark struct {
	Declared  judge.Declared `json:"declared"`
	Age       time.Duration  `json:"age_ns"`
	Reached   bool           `json:"reached,omitempty"`
	Count     uint64         `json:"count,omitempty"`
	Open      uint64         `json:"open,omitempty"`
	Value     float64        `json:"value,omitempty"`
	Met       bool           `json:"met,omitempty"`
	Triggered bool           `json:"triggered,omitempty"`
	Reason    string         `json:"reason,omitempty"`
}

// file is the file of what the processes have said.
type file struct {
	path    string // "" = there is none
	logger  *slog.Logger
	host    hostclock.Clock
	changes chan struct{} // holds a token once something has changed
	failed  bool          // the last write has failed, which was logged

	processes int // how many the file has
}

func newFile(path string, logger *slog.Logger) *file {
	return &file{path: path, logger: logger, host: hostclock.Own(), changes: make(chan struct{}, 1)}
}

// change has the file written.
func (f *file) change() {
	select {
	case f.changes <- struct{}{}:
	default: // there is a token already
	}
}

// run writes the file after each change, again after each error, and each interval while
// it has processes, until ctx is done: a landmarkd that is killed must not make the time
// in which it received nothing a time in which none ran.
func (f *file) run(ctx context.Context, processes func() []savedProcess) error {
	for {
		var due <-chan time.Time
		switch {
		case f.failed:
			due = time.After(maxPause)
		case f.processes > 0:
			due = time.After(interval)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.changes:
		case <-due:
		}
		start := time.Now()
		f.save(processes)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(pauseFactor*time.Since(start), maxPause)):
		}
	}
}

// save writes the file. If it cannot, it removes the one before: what that says may not
// be true any more.
func (f *file) save(processes func() []savedProcess) {
	if f.path == "" {
		return
	}
	all := processes()
	f.processes = len(all)
	err := f.write(all)
	if err != nil {
		if removing := os.Remove(f.path); !errors.Is(removing, fs.ErrNotExist) {
			err = errors.Join(err, removing)
		}
	}
	if err != nil && !f.failed {
		f.logger.Warn("what programs said by notifications cannot be written: a restart would lose it, and they would have to be restarted", "file", f.path, "why", err)
	}
	f.failed = err != nil
}

func (f *file) write(processes []savedProcess) error {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return err
	}
	b, err := json.Marshal(document{Version: fileVersion, Boot: boot, At: f.host.Now(), Processes: processes})
	if err != nil {
		return err
	}
	return bootfile.Replace(f.path, append(b, '\n'), maxFile)
}

// read returns the processes of the landmarkd before this one, and how long ago the file
// was written. A file that is ignored is logged, with the reason.
func (f *file) read() (processes []savedProcess, age time.Duration) {
	if f.path == "" {
		return nil, 0
	}
	d, err := f.tryRead()
	if err != nil && !errors.Is(err, bootfile.ErrMissing) {
		f.logger.Warn("the file of notifications is ignored: programs that reported by them must be restarted", "file", f.path, "why", err)
	}
	if now := f.host.Now(); now > d.At {
		age = time.Duration(now-d.At) * time.Microsecond
	}
	return d.Processes, age
}

func (f *file) tryRead() (document, error) {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return document{}, err
	}
	b, err := bootfile.Read(f.path, maxFile)
	if err != nil {
		return document{}, err
	}
	return decode(b, boot)
}

// decode parses the contents of a file, read in the given boot.
func decode(b []byte, boot string) (d document, err error) {
	reader := json.NewDecoder(bytes.NewReader(b))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&d); err != nil {
		return document{}, fmt.Errorf("it is damaged: %w", err)
	}
	if _, err := reader.Token(); err != io.EOF {
		return document{}, errors.New("it is damaged: it has more than one document")
	}
	switch {
	case d.Version != fileVersion:
		return document{}, fmt.Errorf("it has version %d, not %d", d.Version, fileVersion)
	case d.Boot != boot:
		return document{}, errors.New("it is from another boot of the machine")
	}
	known := make(map[key]bool)
	for _, p := range d.Processes {
		k := key{p.Service, p.PID}
		if err := p.check(); err != nil {
			return document{}, fmt.Errorf("it is damaged: %w", err)
		}
		if known[k] {
			return document{}, fmt.Errorf("it is damaged: the process %d of %s is there twice", p.PID, p.Service)
		}
		known[k] = true
	}
	return d, nil
}

// check returns an error if landmarkd cannot have written the process.
func (p *savedProcess) check() error {
	if err := contract.CheckServiceName(p.Service); err != nil {
		return fmt.Errorf("a service %w", err)
	}
	if err := contract.CheckInstanceName(p.Instance); err != nil {
		return fmt.Errorf("%s: an instance %w", p.Service, err)
	}
	if p.PID <= 0 || len(p.Own) > maxLandmarks || len(p.Text) > sdnotify.MaxStatus || p.Extended < 0 || p.Reported < 0 || p.Timeout != nil && *p.Timeout < 0 {
		return fmt.Errorf("%s: the process %d has impossible numbers", p.Service, p.PID)
	}
	if p.ReadyMark.Declared != *readyLandmark(0).Declared || p.Watchdog.Declared.Kind != judge.KindAlive || p.Watchdog.Declared.Name != watchdogName {
		return fmt.Errorf("%s: the process %d has landmarks of its own that sd_notify has", p.Service, p.PID)
	}
	names := make(map[string]bool)
	for i := range p.Own {
		l := &p.Own[i]
		rules, known := judge.RulesOf(l.Declared.Kind)
		switch {
		case contract.CheckLandmarkName(l.Declared.Name) != nil || names[l.Declared.Name]:
			return fmt.Errorf("%s: the landmark %.128q is not a name, or there twice", p.Service, l.Declared.Name)
		case !known || rules.HasWithin && contract.CheckWithin(l.Declared.Within) != nil || l.Age < 0 || len(l.Reason) > contract.MaxReason:
			return fmt.Errorf("%s: the landmark %s has impossible values", p.Service, l.Declared.Name)
		}
		names[l.Declared.Name] = true
	}
	if p.ReadyMark.Age < 0 || p.Watchdog.Age < 0 {
		return fmt.Errorf("%s: the process %d has impossible ages", p.Service, p.PID)
	}
	return nil
}

// saved returns what the file must have.
func (s *Server) saved() []savedProcess {
	processes := []savedProcess{}
	for _, p := range s.all() {
		if saved, ok := p.save(); ok {
			processes = append(processes, saved)
		}
	}
	return processes
}

// save returns what the file must have of the process. It is not ok if the session has
// ended.
func (p *process) save() (saved savedProcess, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.declared == nil {
		return savedProcess{}, false
	}
	at, s := p.server.now(), &p.state
	saved = savedProcess{
		Service: p.service, PID: p.pid, Start: p.start, UID: p.uid, Instance: p.instance,
		Reported: max(0, at.Sub(p.reportedAt)), Frozen: p.frozen,
		Ready: s.ready, Reloading: s.reloading, Stopping: s.stopping, Drain: s.drain, Text: s.text, Errno: s.errno,
		Timeout: s.timeout, Extended: max(0, s.extended.Sub(at)),
		ReadyMark: s.readyMark.save(at), Watchdog: s.watchdog.save(at),
	}
	for _, l := range s.own {
		saved.Own = append(saved.Own, l.save(at))
	}
	return saved, true
}

func (l *landmark) save(at judge.Instant) savedLandmark {
	return savedLandmark{
		Declared: *l.Declared, Age: max(0, at.Sub(l.At)), Reached: l.Reached, Count: l.Count,
		Open: l.Pending, Value: l.Value, Met: l.Met, Triggered: l.Triggered, Reason: l.Reason,
	}
}
