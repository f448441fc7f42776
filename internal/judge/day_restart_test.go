package judge

import (
	"cmp"
	"slices"

	"pgregory.net/rapid"
)

// restart has the sidecar forget all but who was there, or that as well. The
// places are restored as the registry restores them.
func (d *day) restart(t *rapid.T) {
	d.grace, d.unknown = true, drawAmong(t, "nothing says who was there", false, false, true)
	if d.unknown {
		d.places, d.drained = nil, false
	}
	for i := range d.places {
		p := &d.places[i]
		relief := p.ReliefSeq
		if p.gone == nil {
			if p.Presence != Connected {
				relief = 0
			}
			p.gone = &Instance{Name: p.Name, Presence: p.Presence, Since: p.Since, ReportedAt: p.Since, Newcomer: p.Newcomer, Draining: p.Draining, Seq: p.Seq}
			if p.there = p.Presence == Connected; p.there {
				p.gone.Presence, p.gone.Since, p.gone.ReportedAt = Vacant, d.now, d.now
			}
		}
		p.Instance = *p.gone
		p.Presence, p.ReliefSeq = Awaited, relief
	}
	d.present, d.law = Result{}, law{}
	d.naive.restart(d.unknown, d.now)
	d.change(t)
}

// settle ends the start grace: who has not come back by now is lost.
func (d *day) settle(t *rapid.T) {
	if !d.grace {
		t.Skip("the start grace is over")
	}
	d.grace, d.unknown = false, false
	var missed []place
	for _, p := range d.places {
		if p.gone != nil {
			missed = append(missed, p)
		}
	}
	slices.SortStableFunc(missed, func(p, q place) int { return cmp.Compare(p.gone.Since, q.gone.Since) })
	for _, p := range missed {
		i := slices.IndexFunc(d.places, func(q place) bool { return q.id == p.id })
		gone := *p.gone
		if len(d.places) > 1 && (gone.Draining || gone.Presence == SaidGoodbye) {
			d.places = slices.Delete(d.places, i, i+1)
			continue
		}
		if p.there {
			gone.Since = d.now
		}
		gone.ReliefSeq = p.ReliefSeq
		d.places[i] = place{id: p.id, Instance: gone}
		d.succeed(i)
	}
	d.naive.settle(d.now)
	d.change(t)
}
