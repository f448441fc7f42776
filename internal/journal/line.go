package journal

import (
	"time"
	"unicode/utf8"

	"github.com/landmark-health/landmark/internal/judge"
)

// Format is the version of the lines.
const Format = 1

// Type is what a line is about.
type Type string

// The types. A reader skips lines of other types: later versions of landmarkd may add
// some.
const (
	TypeJournal Type = "journal" // the first line of each file
	TypeStop    Type = "stop"    // landmarkd stops; the last line of a run
	TypeAlive   Type = "alive"   // once a minute: landmarkd still runs
	TypeReload  Type = "reload"  // the configuration was read
	TypePolicy  Type = "policy"  // how a service is judged from now on
	TypeFacts   Type = "facts"   // the facts about a service, when they change
	TypeAges    Type = "ages"    // how old facts became that no line of facts shows
	TypeCheck   Type = "check"   // the result of an active check
	TypeVerdict Type = "verdict" // a verdict has changed
	TypeSession Type = "session" // a process began to report, or ended
	TypeDrain   Type = "drain"   // an operator drained or resumed a service
	TypeGone    Type = "gone"    // a service is not known any more
	TypeGap     Type = "gap"     // lines about a service are left out, until its next full line
)

// Line is one line of the journal. Type says which of the other fields it has.
type Line struct {
	Type Type `json:"type"`
	// Time is the time of day at which the line was made. Only people need it.
	Time time.Time `json:"time"`
	// Seq numbers the lines of a run from 0. A number that is missing is a line that was
	// lost.
	Seq uint64 `json:"seq"`
	// At is the instant that the line is about, by the clock of the run.
	At      judge.Instant `json:"at_ns"`
	Service string        `json:"service,omitempty"`
	// Owner is the uid of the service's owner, in lines of verdicts: users share the memory
	// of the last day by it. It is nil if the service has none, and in older lines.
	Owner *uint32 `json:"owner,omitempty"`

	Journal *Header  `json:"journal,omitempty"`
	Reload  *Reload  `json:"reload,omitempty"`
	Policy  *Policy  `json:"policy,omitempty"`
	Facts   *Facts   `json:"facts,omitempty"`
	Ages    *Ages    `json:"ages,omitempty"`
	Check   *Check   `json:"check,omitempty"`
	Verdict *Change  `json:"verdict,omitempty"`
	Session *Session `json:"session,omitempty"`
	Drain   *Drain   `json:"drain,omitempty"`
}

// Header begins a file.
type Header struct {
	Format    int    `json:"format"`
	Run       string `json:"run"`       // identifies the landmarkd that writes
	Landmarkd string `json:"landmarkd"` // its version
}

// Reload says that the configuration was read.
type Reload struct {
	File string `json:"file,omitempty"`
	Hash string `json:"hash"` // of what it says, so that equal policies are seen to be equal
}

// Change is a change of a service's status or cause, in any aspect.
type Change struct {
	Judged
	// Landmarks are those that were not healthy, the worst first.
	Landmarks []LandmarkState `json:"landmarks,omitempty"`
}

// Verdicts returns the verdicts in the order of judge.Aspect.
func (c *Judged) Verdicts() [judge.Aspects]Verdict {
	return [judge.Aspects]Verdict{c.Readiness, c.Liveness, c.Startup}
}

// Verdict is a verdict on one aspect.
type Verdict struct {
	Status Status `json:"status"`
	Cause  Cause  `json:"cause"`
	Weight uint8  `json:"weight"`
	Reason string `json:"reason,omitempty"`
}

// LandmarkState is a landmark at a change, with the overrides of the configuration.
type LandmarkState struct {
	Declared
	State      State         `json:"state"`
	Reached    bool          `json:"reached,omitempty"`
	Age        time.Duration `json:"age_ns"`
	Open       bool          `json:"open,omitempty"`
	Pending    uint64        `json:"pending,omitempty"`
	Lag        time.Duration `json:"lag_ns,omitempty"`
	Value      Number        `json:"value,omitzero"`
	Met        bool          `json:"met,omitempty"`
	Unreadable bool          `json:"unreadable,omitempty"`
	Triggered  bool          `json:"triggered,omitempty"`
	Reason     string        `json:"reason,omitempty"`
}

// Session says that a process began to report, or ended.
type Session struct {
	Instance string `json:"instance"`
	Event    string `json:"event"` // one of the Session constants
}

// The events of a session.
const (
	SessionBegan    = "began"
	SessionGoodbye  = "goodbye" // it ended on purpose
	SessionLost     = "lost"
	SessionAwaited  = "awaited"  // it was there before landmarkd restarted
	SessionReplaced = "replaced" // landmarkd ended it, because another one took its place
)

// Drain says that an operator drained or resumed the service.
type Drain struct {
	Drained bool `json:"drained"`
}

// Check is the result of one active check, before fall and rise are applied to it. Of a
// long series of equal results only the first ones are written.
type Check struct {
	Began judge.Instant `json:"began_ns"`
	Took  time.Duration `json:"took_ns"`
	OK    bool          `json:"ok"`
	Own   bool          `json:"own,omitempty"` // landmarkd itself could not check
	Error string        `json:"error,omitempty"`
}

// Size estimates the length of the line in the file, in bytes.
func (l *Line) Size() int {
	n := 160 + len(l.Service)
	if l.Facts != nil {
		for _, in := range l.Facts.Instances {
			n += 16
			if in.Process != nil {
				n += 320 + textSize(in.Process.Name) + landmarksSize(in.Process.Landmarks)
			}
		}
		if l.Facts.Host != nil {
			n += landmarksSize(l.Facts.Host.Landmarks)
		}
	}
	if l.Verdict != nil {
		n += 20 + 3*120
		for _, v := range l.Verdict.Verdicts() {
			n += textSize(v.Reason)
		}
		for _, s := range l.Verdict.Landmarks {
			n += 200 + textSize(s.Name) + textSize(s.Reason)
		}
	}
	if l.Ages != nil {
		for _, a := range l.Ages.Longest {
			n += 80 + textSize(a.Landmark)
		}
	}
	if l.Policy != nil {
		n += 240
		for name := range l.Policy.Landmarks {
			n += 140 + textSize(name)
		}
	}
	if l.Check != nil {
		n += 80 + textSize(l.Check.Error)
	}
	if l.Session != nil {
		n += 60 + textSize(l.Session.Instance)
	}
	return n
}

func landmarksSize(landmarks []Landmark) (n int) {
	for i := range landmarks {
		n += 220 + textSize(landmarks[i].Name) + textSize(landmarks[i].Reason)
	}
	return n
}

// textSize returns the length of a text in JSON, without its quotes. It counts no less than
// there is: what a program says decides how long the lines about it are.
func textSize(text string) (n int) {
	for _, r := range text {
		switch {
		case r < ' ', r == 0x7f, r == utf8.RuneError, r == '\u2028', r == '\u2029':
			n += len(`\u0000`)
		case r == '"', r == '\\':
			n += 2
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}
