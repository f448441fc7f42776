package journal

import (
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// Facts are the facts about a service from the instant of the line on.
type Facts struct {
	// Full lines need no earlier line. In others an instance that has only an ID is as it
	// was in the line before.
	Full       bool       `json:"full,omitempty"`
	Drained    bool       `json:"drained,omitempty"`
	Stopping   bool       `json:"stopping,omitempty"`
	Incomplete bool       `json:"incomplete,omitempty"`
	Instances  []Instance `json:"instances,omitempty"` // in the order of joining
	Host       *Host      `json:"host,omitempty"`      // nil if nothing is read of the host
	// History is what the judge remembered before this line, and Judged what it said of it,
	// in full lines.
	History *History `json:"history,omitempty"`
	Judged  *Judged  `json:"judged,omitempty"`
}

// Judged are the verdicts on facts.
type Judged struct {
	Readiness Verdict `json:"readiness"`
	Liveness  Verdict `json:"liveness"`
	Startup   Verdict `json:"startup"`
}

// Instance is one process of a service.
type Instance struct {
	// ID identifies it among those that the service has had in the run.
	ID uint64 `json:"id"`
	// Process is nil if it is as it was in the line before.
	Process *Process `json:"process,omitempty"`
}

// Process is the last report of a process. Its fields are those of judge.Instance.
type Process struct {
	Name      string        `json:"name"`
	Presence  Presence      `json:"presence"`
	Since     judge.Instant `json:"since_ns"`
	Started   bool          `json:"started,omitempty"`
	Draining  bool          `json:"draining,omitempty"`
	Newcomer  bool          `json:"newcomer,omitempty"`
	Order     uint64        `json:"order,omitempty"`
	Relief    uint64        `json:"relief,omitempty"`
	Notifies  bool          `json:"notifies,omitempty"`
	Reports   Age           `json:"reports"` // how old its last report became
	Landmarks []Landmark    `json:"landmarks,omitempty"`
}

// Host is what landmarkd reads of a service's host by itself.
type Host struct {
	Reads     Age        `json:"reads"` // how old the last reading became
	Landmarks []Landmark `json:"landmarks"`
}

// Landmark is a landmark as the program declares it, or as the configuration does if it is
// the host's, and the last report of it. Its fields are those of rule.Landmark.
type Landmark struct {
	Declared
	Reached    bool          `json:"reached,omitempty"`
	Age        Age           `json:"age"`            // how old its last pass became
	Open       bool          `json:"open,omitempty"` // if its age is late
	Value      Number        `json:"value,omitzero"`
	Met        bool          `json:"met,omitempty"`
	Unreadable bool          `json:"unreadable,omitempty"`
	Triggered  bool          `json:"triggered,omitempty"`
	ExtendedTo judge.Instant `json:"extended_to_ns,omitempty"`
	Reason     string        `json:"reason,omitempty"`
}

// Declared is what is declared of a landmark.
type Declared struct {
	Name        string        `json:"name"`
	Kind        Kind          `json:"kind"`
	Impact      Impact        `json:"impact"`
	Within      time.Duration `json:"within_ns,omitempty"`
	StartWithin time.Duration `json:"start_within_ns,omitempty"`
	TTL         time.Duration `json:"ttl_ns,omitempty"`
	Limits      *Limits       `json:"limits,omitempty"`
}

// DeclaredOf returns the declaration as the journal has it.
func DeclaredOf(d *judge.Declared) Declared {
	j := Declared{
		Name: d.Name, Kind: Kind(d.Kind), Impact: Impact(d.Impact),
		Within: d.Within, StartWithin: d.StartWithin, TTL: d.TTL,
	}
	if d.Kind == judge.KindLevel {
		j.Limits = &Limits{DegradeAt: Number(d.Limits.DegradeAt), FailAt: Number(d.Limits.FailAt), Below: d.Limits.Below}
	}
	return j
}

// Judge returns the declaration as the judge takes it.
func (d *Declared) Judge() judge.Declared {
	j := judge.Declared{
		Name: d.Name, Kind: judge.Kind(d.Kind), Impact: judge.Impact(d.Impact),
		Within: d.Within, StartWithin: d.StartWithin, TTL: d.TTL,
	}
	if d.Limits != nil {
		j.Limits = judge.Limits{DegradeAt: float64(d.Limits.DegradeAt), FailAt: float64(d.Limits.FailAt), Below: d.Limits.Below}
	}
	return j
}

// Limits are the limits of a Level.
type Limits struct {
	DegradeAt Number `json:"degrade_at"`
	FailAt    Number `json:"fail_at"`
	Below     bool   `json:"below,omitempty"`
}

// Jitter is how much the instant of one pass differs between two reports of it at most: an
// age is rounded, and is that at the time of the report, which is not always known. What
// differs by more is another pass.
const Jitter = 5 * time.Millisecond

// Age is how old something became until it was renewed.
//
// Until the next line of facts it was renewed again and again and was never older than
// Floor, unless Late is set: then it was last renewed at the instant At, and not since.
type Age struct {
	Floor time.Duration `json:"floor_ns,omitempty"`
	Late  bool          `json:"late,omitempty"`
	At    judge.Instant `json:"at_ns,omitempty"`
	// Known is the instant from which on the sidecar knew At, if Late is set. It may be
	// before that of the line.
	Known judge.Instant `json:"known_ns,omitempty"`
}

// History is what the judge remembers of a service, see judge.History.
type History struct {
	Serving      bool          `json:"serving,omitempty"`
	EverServed   bool          `json:"ever_served,omitempty"`
	Healthy      bool          `json:"healthy,omitempty"`
	HealthSince  judge.Instant `json:"health_since_ns"`
	ServingSince judge.Instant `json:"serving_since_ns"`
	Started      bool          `json:"started,omitempty"`
}

// HistoryOf returns the history as the journal has it.
func HistoryOf(h judge.History) *History {
	return &History{
		Serving: h.Serving, EverServed: h.EverServed, Healthy: h.Healthy,
		HealthSince: h.HealthSince, ServingSince: h.ServingSince, Started: h.Started,
	}
}

// Judge returns the history as the judge takes it. That of nil is empty.
func (h *History) Judge() judge.History {
	if h == nil {
		return judge.History{}
	}
	return judge.History{
		Serving: h.Serving, EverServed: h.EverServed, Healthy: h.Healthy,
		HealthSince: h.HealthSince, ServingSince: h.ServingSince, Started: h.Started,
	}
}

// Ages are how old landmarks and reports became between From and the instant of the line,
// where that is below the Floor of the lines of facts.
type Ages struct {
	From    judge.Instant `json:"from_ns"`
	Longest []Longest     `json:"longest"`
}

// Longest is the longest age of a landmark, or of the reports of an instance if Landmark
// is "".
type Longest struct {
	ID       uint64        `json:"id,omitempty"` // of the instance; 0 = the host
	Landmark string        `json:"landmark,omitempty"`
	Age      time.Duration `json:"age_ns"`
}
