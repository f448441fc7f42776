package judge

import (
	"cmp"
	"slices"

	"pgregory.net/rapid"
)

// restart restarts the sidecar, which forgets everything but the processes, or the
// processes too. The slots are restored as the registry restores them.
func (d *day) restart(t *rapid.T) {
	d.grace, d.unknown = true, drawOneOf(t, "processes unknown", false, false, true)
	if d.unknown {
		d.slots, d.drained = nil, false
	}
	for i := range d.slots {
		p := &d.slots[i]
		relief := p.ReliefSeq
		if p.restored == nil {
			if p.Presence != Connected {
				relief = 0
			}
			p.restored = &Instance{Name: p.Name, Presence: p.Presence, Since: p.Since, ReportedAt: p.Since, Newcomer: p.Newcomer, Draining: p.Draining, Seq: p.Seq}
			if p.wasConnected = p.Presence == Connected; p.wasConnected {
				p.restored.Presence, p.restored.Since, p.restored.ReportedAt = Vacant, d.now, d.now
			}
		}
		p.Instance = *p.restored
		p.Presence, p.ReliefSeq = Awaited, relief
	}
	d.result, d.invariants = Result{}, invariants{}
	d.naive.restart(d.unknown, d.now)
	d.change(t)
}

// endGrace ends the start grace: processes that have not come back are lost.
func (d *day) endGrace(t *rapid.T) {
	if !d.grace {
		t.Skip("the start grace is over")
	}
	d.grace, d.unknown = false, false
	var missed []slot
	for _, p := range d.slots {
		if p.restored != nil {
			missed = append(missed, p)
		}
	}
	slices.SortStableFunc(missed, func(p, q slot) int { return cmp.Compare(p.restored.Since, q.restored.Since) })
	for _, p := range missed {
		i := slices.IndexFunc(d.slots, func(q slot) bool { return q.id == p.id })
		gone := *p.restored
		if len(d.slots) > 1 && (gone.Draining || gone.Presence == SaidGoodbye) {
			d.slots = slices.Delete(d.slots, i, i+1)
			continue
		}
		if p.wasConnected {
			gone.Since = d.now
		}
		gone.ReliefSeq = p.ReliefSeq
		d.slots[i] = slot{id: p.id, Instance: gone}
		d.fillVacancy(i)
	}
	d.naive.endGrace(d.now)
	d.change(t)
}
