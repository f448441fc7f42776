package page

import (
	"time"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// pastKey is what must differ for a service's past to be sent again.
type pastKey struct {
	known    bool
	verdicts verdicts
	evidence uint64 // the latest
}

// changeJSON is a change of a service, and the landmarks that were not healthy then.
type changeJSON struct {
	Since     int64          `json:"since"`
	Class     class          `json:"class"`
	Status    string         `json:"status"`
	Cause     string         `json:"cause,omitempty"`
	Weight    uint8          `json:"weight"`
	Alive     bool           `json:"alive"`
	Reason    string         `json:"reason,omitempty"`
	Landmarks []landmarkJSON `json:"landmarks,omitempty"`
	Evidence  []evidenceJSON `json:"evidence,omitempty"`
	Withheld  int            `json:"withheld,omitempty"` // how much evidence the client may not see
}

// pastKey returns the key of the past as it is now.
func (d *detail) pastKey(f *feed) (key pastKey) {
	p, ok := f.config.Source.Status(d.service)
	if ok {
		key = pastKey{known: true, verdicts: verdictsOf(&p)}
		if f.config.Evidence != nil {
			key.evidence = f.config.Evidence.LatestEvidence(d.service)
		}
	}
	return key
}

// reset forgets the events of the past, which was that of another key.
func (d *detail) reset(key pastKey) { d.key, d.sent = key, make(map[bool][]byte) }

// past returns the event with the changes of the service.
func (d *detail) past(f *feed, withEvidence bool) []byte {
	if d.sent == nil {
		d.reset(d.pastKey(f))
	}
	event := d.sent[withEvidence]
	if event == nil {
		event = f.composePast(d.service, withEvidence)
		d.sent[withEvidence] = event
	}
	return event
}

func (f *feed) composePast(service string, withEvidence bool) []byte {
	changes, _ := f.config.Source.History(service)
	now, all := f.changesOf(changes)
	f.addEvidence(service, changes, all, withEvidence)
	return f.event("past", pastJSON{now, service, all})
}

// earlier returns the event with the changes that earlier sidecars have seen, nil if none
// are known.
func (d *detail) earlier(f *feed) []byte {
	changes := f.config.Earlier(d.service)
	d.recalled = len(changes)
	if len(changes) == 0 {
		return nil
	}
	now, all := f.changesOf(changes)
	return f.event("earlier", pastJSON{now, d.service, all})
}

// pastJSON is changes of a service, the oldest first.
type pastJSON struct {
	timeJSON
	Name    string       `json:"name"`
	Changes []changeJSON `json:"changes"`
}

func (f *feed) changesOf(changes []registry.Change) (now timeJSON, all []changeJSON) {
	now, all = f.stamp(), make([]changeJSON, len(changes))
	for i, c := range changes {
		all[i] = changeOf(c, now.Now-c.Age.Milliseconds())
	}
	return now, all
}

func changeOf(c registry.Change, since int64) changeJSON {
	ready, alive := c.Verdicts[judge.Readiness], c.Verdicts[judge.Liveness]
	m := statusmsg.Change(c, time.Now())
	v := changeJSON{
		Since: since, Class: classOf(ready.Status, ready.Cause, ready.Weight), Status: ready.Status.String(),
		Cause: describe.Cause(m.Readiness), Weight: ready.Weight, Alive: alive.Status == judge.Serving,
		Reason: describe.Reason(m.Readiness, m.Liveness),
	}
	if ready.Status != judge.Serving || !v.Alive {
		v.Landmarks = landmarksOf(c.Landmarks)
	}
	return v
}
