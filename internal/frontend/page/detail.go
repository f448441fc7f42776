package page

import (
	"slices"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// detail is a service that pages show whole.
type detail struct {
	service  string
	streams  []*stream
	known    bool
	since    [judge.Aspects]int64
	key      pastKey
	recalled int             // changes that earlier sidecars have seen
	sent     map[bool][]byte // the event of the past of key, by whether it has evidence
}

// remove removes a page.
func (d *detail) remove(st *stream) {
	d.streams = slices.DeleteFunc(d.streams, func(other *stream) bool { return other == st })
}

// all returns the pages, whichever are removed meanwhile.
func (d *detail) all() []*stream { return slices.Clone(d.streams) }

// serviceJSON is the present state of a service.
type serviceJSON struct {
	timeJSON
	Name      string         `json:"name"`
	Known     bool           `json:"known"`
	Class     class          `json:"class,omitempty"`
	Reason    string         `json:"reason,omitempty"`
	FactsAge  int64          `json:"factsAge,omitempty"`
	Drained   bool           `json:"drained,omitempty"`
	Verdicts  []verdictJSON  `json:"verdicts,omitempty"`
	Landmarks []landmarkJSON `json:"landmarks,omitempty"` // the worst
	Instances []instanceJSON `json:"instances,omitempty"` // the worst
	// How many more landmarks and instances there are.
	MoreLandmarks int           `json:"moreLandmarks,omitempty"`
	MoreInstances int           `json:"moreInstances,omitempty"`
	Checkers      []checkerJSON `json:"checkers,omitempty"`
	Sessions      []sessionJSON `json:"sessions,omitempty"`
	Gate          *gateJSON     `json:"gate,omitempty"`
}

// maxShown is how many landmarks and instances of a service are shown, the worst first.
const maxShown = 256

// worst returns the instances that are shown, in their order: those that are not ready,
// and of the others as many as there is room for.
func worst(instances []registry.Instance) []registry.Instance {
	over := len(instances) - maxShown
	if over <= 0 {
		return instances
	}
	ready := func(in registry.Instance) bool { return in.Cause == judge.None }
	var shown []registry.Instance
	for _, in := range instances {
		if over > 0 && ready(in) {
			over--
			continue
		}
		shown = append(shown, in)
	}
	return shown[:maxShown]
}

// verdictJSON is the verdict on one aspect.
type verdictJSON struct {
	Aspect string `json:"aspect"`
	Class  class  `json:"class"`
	Status string `json:"status"`
	Cause  string `json:"cause,omitempty"`
	Weight uint8  `json:"weight"`
	Reason string `json:"reason,omitempty"`
	Since  int64  `json:"since"`
}

// landmarkJSON is one landmark in words and as a bar.
type landmarkJSON struct {
	Name   string      `json:"name"`
	Kind   string      `json:"kind"`
	Impact string      `json:"impact"`
	State  judge.State `json:"state"`
	Says   string      `json:"says"` // the state
	Fact   string      `json:"fact"`
	Limit  string      `json:"limit,omitempty"`
	Fill   float64     `json:"fill"`
	Mark   float64     `json:"mark,omitempty"`
}

// instanceJSON is one process.
type instanceJSON struct {
	Name   string `json:"name"`
	Class  class  `json:"class"`
	Says   string `json:"says"` // its state
	Counts bool   `json:"counts"`
	Age    string `json:"age,omitempty"`
	Text   string `json:"text,omitempty"`
}

type checkerJSON struct {
	Address string `json:"address"`
	By      string `json:"by"`
	Rate    string `json:"rate"`
	Total   uint64 `json:"total"`
	Last    string `json:"last"`
	Silent  bool   `json:"silent,omitempty"`
}

type sessionJSON struct {
	Name   string `json:"name"`
	Peer   string `json:"peer"`
	Up     bool   `json:"up"`
	Silent bool   `json:"silent,omitempty"`
	Age    string `json:"age"`
	Reason string `json:"reason,omitempty"`
}

type gateJSON struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Open    bool   `json:"open"`
	Age     string `json:"age"`
	Problem string `json:"problem,omitempty"`
}

// state returns the event with the present state.
func (d *detail) state(f *feed) []byte {
	p, ok := f.config.Source.Status(d.service)
	d.known = ok
	v := serviceJSON{timeJSON: f.stamp(), Name: d.service, Known: ok}
	if !ok {
		return f.event("service", v)
	}
	m := statusmsg.Service(p, false)
	statusmsg.NewCheckers(f.config.Source, f.config.Checkers).AddTo(m)
	ready := p.Answers[judge.Readiness]
	v.Class = classOf(ready.Status, ready.Cause, ready.Weight)
	v.Reason, v.FactsAge, v.Drained = describe.ServiceReason(m), ready.Age.Milliseconds(), p.Drained
	for i, a := range []*statusv1.AspectStatus{m.Readiness, m.Liveness, m.Startup} {
		answer := p.Answers[i]
		d.since[i] = f.instant(answer.StatusAge, d.since[i])
		w := verdictOf(judge.Aspect(i), answer.Status, answer.Cause, a.Verdict)
		w.Since = d.since[i]
		v.Verdicts = append(v.Verdicts, w)
	}
	landmarks, instances := ready.Landmarks(), ready.Instances()
	v.MoreLandmarks, v.MoreInstances = max(0, len(landmarks)-maxShown), max(0, len(instances)-maxShown)
	v.Landmarks = landmarksOf(landmarks[:min(len(landmarks), maxShown)])
	for _, in := range worst(instances) {
		v.Instances = append(v.Instances, instanceOf(in))
	}
	for _, c := range m.Checkers {
		v.Checkers = append(v.Checkers, checkerJSON{
			terminal.Printable(c.Address), c.FrontEnd, describe.PerSecond(c.PerSecond), c.Total, describe.LastCheck(c), c.Silent,
		})
	}
	for _, b := range m.BfdSessions {
		v.Sessions = append(v.Sessions, sessionJSON{b.Name, b.Peer, b.Up, b.Silent, duration.Format(b.StateAge.AsDuration()), terminal.Printable(b.Reason)})
	}
	if g := m.Gate; g != nil {
		v.Gate = &gateJSON{g.Name, g.Address, g.Open, duration.Format(g.StateAge.AsDuration()), terminal.Printable(g.Problem)}
	}
	return f.event("service", v)
}

func verdictOf(a judge.Aspect, status judge.Status, cause judge.Cause, m *statusv1.Verdict) verdictJSON {
	return verdictJSON{
		Aspect: a.String(), Class: classOf(status, cause, uint8(m.Weight)), Status: status.String(),
		Cause: describe.Cause(m), Weight: uint8(m.Weight), Reason: terminal.Printable(m.Reason),
	}
}

func landmarksOf(landmarks []registry.Landmark) []landmarkJSON {
	messages := statusmsg.Landmarks(landmarks)
	all := make([]landmarkJSON, len(messages))
	for i, m := range messages {
		r := &landmarks[i]
		all[i] = landmarkJSON{
			Name: terminal.Printable(r.Name), Kind: describe.Kind(m), Impact: describe.Impact(m), State: r.State, Says: describe.State(m),
			Fact: describe.Fact(m), Limit: describe.Limit(m), Fill: round(fraction(r)), Mark: round(degradeMark(r)),
		}
	}
	return all
}

// round rounds a part of a bar to what can be seen of it.
func round(v float64) float64 { return float64(int(v*1000+0.5)) / 1000 }

func instanceOf(in registry.Instance) instanceJSON {
	v := instanceJSON{
		Name: terminal.Printable(in.Name), Text: terminal.Printable(in.StatusText), Counts: in.Counts,
		Class: serving, Says: "ready", Age: duration.Format(in.Age),
	}
	if in.Cause != judge.None {
		v.Class, v.Says = classOf(judge.NotServing, in.Cause, 0), in.Cause.String()
	}
	if in.Presence == judge.Awaited {
		v.Says, v.Age = "awaited", "" // it has not reported yet
	}
	return v
}
