package page

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// known is a service that was shown.
type known struct {
	row  row
	key  verdicts
	text []byte // row in JSON
	past band
	bars string
	seen int // the number of the last scan that found it
}

// verdicts is what must differ for a service to be looked at again at once.
type verdicts struct {
	answers [judge.Aspects]struct {
		status  judge.Status
		cause   judge.Cause
		weight  uint8
		changes uint32
	}
	failing uint8
	drained bool
}

func verdictsOf(p *registry.ServiceStatus) verdicts {
	v := verdicts{failing: p.Answers[judge.Readiness].Failing, drained: p.Drained}
	for i := range p.Answers {
		a, b := &p.Answers[i], &v.answers[i]
		b.status, b.cause, b.weight, b.changes = a.Status, a.Cause, a.Weight, a.Changes
	}
	return v
}

// overview is what was sent of all services.
type overview struct {
	*Server
	services map[string]*known
	names    []string // of the last scan, sorted
	scans    int

	incomplete bool   // the last scan has left some services out,
	wasAll     bool   // was to look at all,
	resumeAt   string // and the next one begins here
}

// newOverview returns the present state, or as much of it as is known when ctx is done.
func newOverview(ctx context.Context, s *Server) overview {
	o := overview{Server: s, services: make(map[string]*known), names: s.config.Source.Names()}
	checkers := statusmsg.NewCheckers(s.config.Source, s.config.Checkers)
	for _, name := range o.names {
		if ctx.Err() != nil {
			return o
		}
		o.look(name, checkers, true)
	}
	o.changedBars()
	return o
}

// maxChanges is about how many bytes an event with changes has at most.
const maxChanges = 512 << 10

// scan looks at all services and returns the event with those that changed, nil if none
// did. With all it looks at what changes no verdict, too. If so many have changed that
// they do not fit into an event, it is incomplete, and the next scan begins with the others.
func (o *overview) scan(all bool) []byte {
	var e rowsEvent
	checkers := statusmsg.NewCheckers(o.config.Source, o.config.Checkers)
	o.scans++
	o.names = o.config.Source.Names()
	all = all || o.wasAll
	first, _ := slices.BinarySearch(o.names, o.resumeAt)
	o.incomplete, o.wasAll, o.resumeAt = false, false, ""
	for i := range o.names {
		name := o.names[(first+i)%len(o.names)]
		if !o.incomplete && len(e.rows)+len(e.bands) >= maxChanges {
			o.incomplete, o.wasAll, o.resumeAt = true, all, name
		}
		if o.incomplete {
			if k := o.services[name]; k != nil {
				k.seen = o.scans
			}
			continue
		}
		fresh, changed := o.look(name, checkers, all)
		e.addBand(name, fresh)
		if changed {
			e.addRow(o.services[name].text)
		}
	}
	for name, k := range o.services {
		if k.seen != o.scans {
			delete(o.services, name)
			e.gone = append(e.gone, name)
		}
	}
	if e.empty() {
		return nil
	}
	return e.bytes(o.Server, "changes")
}

// look looks at a service, and returns what is new in its band and whether its row has
// changed. Unless all, it looks only at a service whose verdicts have changed.
func (o *overview) look(name string, checkers *statusmsg.Checkers, all bool) (fresh band, changed bool) {
	p, ok := o.config.Source.Status(name)
	if !ok {
		return nil, false
	}
	k := o.services[name]
	if k == nil {
		k = new(known)
		o.services[name] = k
	}
	k.seen = o.scans
	key := verdictsOf(&p)
	if key != k.key {
		fresh = k.past.update(o.Server, name)
	} else if !all {
		return nil, false
	}
	k.key = key
	if r := o.compose(&p, checkers, k.row.Since); r != k.row {
		k.row = r
		k.text, _ = json.Marshal(r)
		changed = true
	}
	return fresh, changed
}

// recalled returns the event with the services of which more has become known that earlier
// sidecars have seen, nil if there are none.
func (o *overview) recalled() []byte {
	var e rowsEvent
	for name, k := range o.services {
		if len(e.rows)+len(e.bands) >= maxChanges {
			break // the others come later
		}
		if len(k.past) > 0 && k.past[0].earlier || k.text == nil {
			continue
		}
		if earlier := o.earlierBand(name); len(earlier) > 0 {
			k.past = append(earlier, k.past...)
			e.addRow(k.text)
			e.addBand(name, k.past)
			e.addBars(name, k.bars)
		}
	}
	if e.empty() {
		return nil
	}
	return e.bytes(o.Server, "services")
}

// pieceSize is about how many bytes of services an event has.
const pieceSize = 64 << 10

// piece returns the event with the services that follow the name, as many as fit, and the
// last of them; "" if no more follow.
func (o *overview) piece(after string) (text []byte, last string) {
	e := rowsEvent{first: after == ""}
	i, found := slices.BinarySearch(o.names, after)
	if found {
		i++
	}
	for ; i < len(o.names) && len(e.rows)+len(e.bands) < pieceSize; i++ {
		if k := o.services[o.names[i]]; k != nil && k.text != nil {
			e.addRow(k.text)
			e.addBand(o.names[i], k.past)
			e.addBars(o.names[i], k.bars)
		}
	}
	if i < len(o.names) {
		last = o.names[i-1]
	}
	e.last = last == ""
	return e.bytes(o.Server, "services"), last
}
