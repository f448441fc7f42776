package judge

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// What may happen in a day. The places are kept as the registry keeps them.

// join has a process begin to report, in its place if it has one.
func (d *day) join(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name")
	d.forget()
	i := slices.IndexFunc(d.places, func(p place) bool { return p.Name == name })
	if i < 0 { // else the vacancy that was left first
		for j, p := range d.places {
			if p.Presence != Connected && (i < 0 || p.Since < d.places[i].Since) {
				i = j
			}
		}
	}
	p := d.newPlace(t, name)
	if i < 0 {
		p.beside = len(d.places) > 0
		d.places = append(d.places, p)
	} else {
		p.beside = d.places[i].beside
		d.places[i] = p
	}
	d.change(t)
}

func (d *day) newPlace(t *rapid.T, name string) place {
	d.members++
	p := place{id: d.members, Instance: Instance{Name: name, Since: d.now, Heard: d.now}}
	p.Landmarks = drawLandmarks(t, d.now)
	return p
}

// report has a process report, of each landmark what was so before, or that
// all is well, or anything; or has it declare other landmarks first.
func (d *day) report(t *rapid.T) {
	p := d.someone(t)
	p.Heard = d.now
	if drawAmong(t, "declare", false, false, false, true) {
		p.Landmarks = drawLandmarks(t, d.now)
	}
	for i := range p.Landmarks {
		drawFact(t, &p.Landmarks[i], d.now)
	}
	d.change(t)
}

// work has time pass while every process reports, and mostly that all is well.
func (d *day) work(t *rapid.T) {
	same := drawAmong(t, "nothing new", false, false, false, true)
	for range drawAmong(t, "reports", 1, 2, 4) {
		d.passUntil(t, d.now.Add(beat))
		for i := range d.places {
			if d.places[i].Presence != Connected {
				continue
			}
			d.places[i].Heard = d.now
			for j := range d.places[i].Landmarks {
				if !same {
					d.places[i].Landmarks[j].goWell(d.now)
				}
			}
		}
		d.host.Read = d.now
		d.change(t)
	}
}

// drain has a process say whether it wants new work.
func (d *day) drain(t *rapid.T) {
	p := d.someone(t)
	p.Draining, p.Heard = drawAmong(t, "drained", false, true), d.now
	d.change(t)
}

// leave ends a process. One that goes on purpose leaves the set, unless it is
// the last; the place of a lost one goes to a newcomer, if there is one.
func (d *day) leave(t *rapid.T) {
	p, how := d.someone(t), drawAmong(t, "how", Vacant, SaidGoodbye)
	id := p.id
	d.forget()
	i := slices.IndexFunc(d.places, func(p place) bool { return p.id == id })
	p = &d.places[i]
	if len(d.places) > 1 && (how == SaidGoodbye || p.Draining) {
		d.places = slices.Delete(d.places, i, i+1)
	} else {
		p.Presence, p.Since = how, d.now
		heir := slices.IndexFunc(d.places, func(p place) bool { return p.Presence == Connected && p.Newcomer })
		if heir >= 0 && how == Vacant && !p.Newcomer {
			d.places[heir].beside = false
			d.places = slices.Delete(d.places, i, i+1)
		}
	}
	d.change(t)
}

// forget drops the vacancies that do not count any more.
func (d *day) forget() {
	counted := d.naive.counted(d.naive.present(), d.now)
	d.places = slices.DeleteFunc(d.places, func(p place) bool {
		return p.Presence != Connected && !slices.ContainsFunc(counted, func(m member) bool { return m.id == p.id })
	})
}

// operate has an operator drain the service, or resume it.
func (d *day) operate(t *rapid.T) {
	d.drained = drawAmong(t, "drained", false, false, true)
	d.change(t)
}

// see has the sidecar read its host.
func (d *day) see(t *rapid.T) {
	d.host.draw(t, d.now)
	d.change(t)
}

// pass lets some time pass.
func (d *day) pass(t *rapid.T) {
	d.passUntil(t, d.now.Add(rapid.OneOf(
		rapid.SampledFrom([]time.Duration{beat, 2 * beat, 4 * beat, time.Minute, 2 * time.Hour}),
		rapid.Map(rapid.IntRange(0, 20), func(n int) time.Duration { return time.Duration(n) * beat }),
		rapid.SampledFrom([]time.Duration{0, 1, time.Millisecond, d.policy.FallAfter, d.policy.RecoverAfter, d.policy.SlowStart}),
	).Draw(t, "for")))
}

// passTurn lets time pass up to an instant that something may turn at, or a
// nanosecond before or after.
func (d *day) passTurn(t *rapid.T) {
	turns := d.naive.turns(d.now, d.now.Add(2*time.Hour))
	if d.present.Next != Never {
		turns = append(turns, d.present.Next)
	}
	if len(turns) == 0 {
		t.Skip("nothing will turn")
	}
	turn := rapid.SampledFrom(turns).Draw(t, "turn") + Instant(rapid.IntRange(-1, 1).Draw(t, "off by"))
	d.passUntil(t, max(d.now, turn))
}

// someone is a process that is there.
func (d *day) someone(t *rapid.T) *place {
	var there []int
	for i, p := range d.places {
		if p.Presence == Connected {
			there = append(there, i)
		}
	}
	if len(there) == 0 {
		t.Skip("nobody is there")
	}
	return &d.places[rapid.SampledFrom(there).Draw(t, "process")]
}
