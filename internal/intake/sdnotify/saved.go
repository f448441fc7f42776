package sdnotify

import (
	"fmt"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// savedProcess is a process, and what it has said, in the file. Ages are those at the time
// of writing: a landmarkd that did not run could not receive, so that silence meanwhile is
// not the program's. Only that a process is stopped is the kernel's to say.
type savedProcess struct {
	// At is the time of writing, in microseconds of CLOCK_MONOTONIC.
	At        uint64         `json:"at_us"`
	Service   string         `json:"service"`
	PID       int            `json:"pid"`
	Start     uint64         `json:"start"` // in ticks since boot
	UID       uint32         `json:"uid"`
	Speakers  []savedSpeaker `json:"speakers,omitempty"` // those that have named it
	Instance  string         `json:"instance"`
	Left      bool           `json:"left,omitempty"`     // its session has ended, and it has not
	Replaces  int            `json:"replaces,omitempty"` // the PID of the main process before it, whose session ends
	Reported  time.Duration  `json:"reported_ns"`        // the age of its last report
	Ready     bool           `json:"ready,omitempty"`
	Reloading bool           `json:"reloading,omitempty"`
	Stopping  bool           `json:"stopping,omitempty"`
	Drain     bool           `json:"drain,omitempty"`
	Text      string         `json:"text,omitempty"`
	Errno     int            `json:"errno,omitempty"`
	Timeout   *time.Duration `json:"watchdog_ns,omitempty"`
	Extended  time.Duration  `json:"extended_ns,omitempty"` // for how much longer
	ReadyMark savedLandmark  `json:"ready_mark"`
	Watchdog  savedLandmark  `json:"watchdog_mark"`
	// Own has all its landmarks if Whole is set, else those that were touched since the
	// line before.
	Own   []savedLandmark `json:"own,omitempty"`
	Whole bool            `json:"whole,omitempty"`
}

// savedSpeaker is a process that speaks for another.
type savedSpeaker struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
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

// write appends to the file what the process has said since the line before. It is called
// before that is reported. The caller holds mu.
func (p *process) write() {
	if !p.unwritten || p.ended || p.server.file.path == "" {
		return
	}
	saved := p.head()
	saved.Whole = p.state.unwritten
	saved.Own = p.own(saved.Whole)
	p.append(&saved)
}

// writeLeft appends that the session of the process has ended, although the process may
// not have. The caller holds mu.
func (p *process) writeLeft() {
	saved := p.head()
	saved.Whole, saved.Left = true, true
	p.append(&saved)
}

func (p *process) append(saved *savedProcess) {
	p.unwritten, p.state.unwritten = false, false
	for _, l := range p.state.own {
		l.unwritten = false
	}
	p.server.file.appendProcess(saved)
}

// save returns what the file must have of the process. It is not ok if the session has
// ended.
func (p *process) save() (saved savedProcess, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return savedProcess{}, false
	}
	saved = p.head()
	saved.Whole, saved.Own = true, p.own(true)
	return saved, true
}

// head returns what the file must have of the process, without its own landmarks. The
// caller holds mu.
func (p *process) head() savedProcess {
	at, s := p.server.now(), &p.state
	return savedProcess{
		At: p.server.file.now(), Service: p.service, PID: p.pid, Start: p.start, UID: p.uid, Instance: p.instance,
		Speakers: p.server.speakersFor(p), Reported: max(0, at.Sub(p.reportedAt)),
		Ready: s.ready, Reloading: s.reloading, Stopping: s.stopping, Drain: s.drain, Text: s.text, Errno: s.errno,
		Timeout: s.timeout, Extended: max(0, s.extended.Sub(at)),
		ReadyMark: s.readyMark.save(at), Watchdog: s.watchdog.save(at),
	}
}

// own returns what the file must have of the process's own landmarks: of all, or of those
// that were touched since the line before. The caller holds mu.
func (p *process) own(all bool) (saved []savedLandmark) {
	at := p.server.now()
	for _, l := range p.state.own {
		if all || l.unwritten {
			saved = append(saved, l.save(at))
		}
	}
	return saved
}

func (l *landmark) save(at judge.Instant) savedLandmark {
	return savedLandmark{
		Declared: *l.Declared, Age: max(0, at.Sub(l.At)), Reached: l.Reached, Count: l.Count,
		Open: l.Pending, Value: l.Value, Met: l.Met, Triggered: l.Triggered, Reason: l.Reason,
	}
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

// update takes another line of the same process. It reports whether the process may have
// that many landmarks.
func (p *savedProcess) update(line *savedProcess) bool {
	switch {
	case line.At < p.At:
		return true // it is older
	case line.Whole:
		*p = *line
		return true
	case line.Start != p.Start:
		return true // of another process, whose first line is missing
	}
	own := p.Own
	for i := range own {
		own[i].Age += time.Duration(line.At-p.At) * time.Microsecond
	}
	for _, l := range line.Own {
		if i := slices.IndexFunc(own, func(known savedLandmark) bool { return known.Declared.Name == l.Declared.Name }); i >= 0 {
			own[i] = l
		} else {
			own = append(own, l)
		}
	}
	*p = *line
	p.Own, p.Whole = own, true
	return len(own) <= maxLandmarks
}

// check returns an error if landmarkd cannot have written the process.
func (p *savedProcess) check() error {
	if err := contract.CheckServiceName(p.Service); err != nil {
		return fmt.Errorf("a service %w", err)
	}
	if err := contract.CheckInstanceName(p.Instance); err != nil {
		return fmt.Errorf("%s: an instance %w", p.Service, err)
	}
	if p.PID <= 0 || len(p.Own) > maxLandmarks || len(p.Speakers) > maxSpeakers || len(p.Text) > sdnotify.MaxStatus || p.Extended < 0 || p.Reported < 0 || p.Timeout != nil && *p.Timeout < 0 {
		return fmt.Errorf("%s: the process %d has impossible numbers", p.Service, p.PID)
	}
	if p.ReadyMark.Declared != *readyLandmark(0).Declared || p.Watchdog.Declared.Kind != judge.KindAlive || p.Watchdog.Declared.Name != sdnotify.WatchdogName {
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
