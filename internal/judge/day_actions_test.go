package judge

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// What may happen in a day. The places are kept as the registry keeps them.

// join has a process begin to report.
func (d *day) join(t *rapid.T) {
	d.forget()
	p := d.newPlace(t, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"))
	d.places = slices.DeleteFunc(d.places, func(q place) bool {
		return q.gone != nil && q.gone.Presence == SaidGoodbye && q.Name != p.Name
	})
	started := p.HasStarted()
	there := d.instances()
	i := AssignSlot(d.policy, there, p.Name, started, d.now)
	before := Instance{Since: d.now}
	if i == len(there) {
		with, spare := AddSlot(d.policy, there, d.now)
		for j, in := range with {
			d.places[j].Instance = *in
		}
		before.Newcomer, before.Seq = len(there) > 0, spare
		d.places = append(d.places, place{})
	} else {
		before.Newcomer, before.Seq = there[i].Newcomer, there[i].Seq
		if there[i].Presence == Awaited {
			before.ReliefSeq = there[i].ReliefSeq
		}
	}
	p.ContinueFrom(&before, d.policy)
	d.places[i] = p
	if started {
		d.dropOthers(p)
	}
	d.naive.join(p.id, p.Name, allReached(member{facts: p.Landmarks}), d.now)
	d.change(t)
}

// dropOthers drops the places of others of p's name.
func (d *day) dropOthers(p place) {
	d.places = slices.DeleteFunc(d.places, func(q place) bool { return q.id != p.id && q.Name == p.Name })
}

func (d *day) newPlace(t *rapid.T, name string) place {
	d.born++
	p := place{id: d.born, Instance: Instance{Name: name, Since: d.now, ReportedAt: d.now}}
	p.Landmarks = drawLandmarks(t, d.now)
	return p
}

func (d *day) instances() []*Instance {
	var instances []*Instance
	for _, p := range d.places {
		instances = append(instances, new(p.Instance))
	}
	return instances
}

// reported takes the report that change makes in place i.
func (d *day) reported(i int, change func(*Instance)) {
	p := &d.places[i]
	before := p.Instance
	p.Landmarks, p.ReportedAt = slices.Clone(p.Landmarks), d.now
	change(&p.Instance)
	id := p.id
	if before.Newcomer && p.HasStarted() {
		if j := Namesake(d.instances(), i); j >= 0 {
			before = *before.TakeSlotOf(&d.places[j].Instance)
			d.dropOthers(*p)
			p = &d.places[slices.IndexFunc(d.places, func(p place) bool { return p.id == id })]
		}
	}
	p.ContinueFrom(&before, d.policy)
	d.naive.report(id, allReached(member{facts: p.Landmarks}))
}

// report has a process report, of each landmark what was so before, or that
// all is well, or anything; or has it declare other landmarks first.
func (d *day) report(t *rapid.T) {
	d.reported(d.someone(t), func(in *Instance) {
		if drawAmong(t, "declare", false, false, false, true) {
			before := in.Landmarks
			in.Landmarks = drawLandmarks(t, d.now)
			for i := range min(len(before), len(in.Landmarks)) {
				in.Landmarks[i].Count += before[i].Count
			}
		}
		for i := range in.Landmarks {
			drawFact(t, &in.Landmarks[i], d.now)
		}
	})
	d.change(t)
}

// work has time pass while every process reports, and mostly that all is well.
func (d *day) work(t *rapid.T) {
	same := drawAmong(t, "nothing new", false, false, false, true)
	for range drawAmong(t, "reports", 1, 2, 4) {
		d.passUntil(t, d.now.Add(beat))
		var ids []int
		for _, p := range d.places {
			ids = append(ids, p.id)
		}
		for _, id := range ids {
			i := slices.IndexFunc(d.places, func(p place) bool { return p.id == id })
			if i < 0 || d.places[i].Presence != Connected {
				continue
			}
			d.reported(i, func(in *Instance) {
				for j := range in.Landmarks {
					if !same {
						in.Landmarks[j].goWell(d.now)
					}
				}
			})
		}
		d.host.ReadAt = d.now
		d.change(t)
	}
}

// hang has a main loop late, or nearly so, and then answer, while all else is
// well.
func (d *day) hang(t *rapid.T) {
	p := d.places[d.someone(t)]
	i := slices.IndexFunc(p.Landmarks, func(l Landmark) bool { return l.Kind == KindLoop })
	if i < 0 {
		t.Skip("it has no main loop")
	}
	report := func(change func(*Landmark)) {
		at := slices.IndexFunc(d.places, func(q place) bool { return q.id == p.id })
		d.reported(at, func(in *Instance) {
			for j := range in.Landmarks {
				if j != i {
					in.Landmarks[j].goWell(d.now)
				}
			}
			change(&in.Landmarks[i])
		})
		d.change(t)
	}
	late := drawAmong(t, "late by", 0, 1, beat)
	report(func(l *Landmark) {
		l.goWell(d.now)
		l.Open, l.At = true, d.now.Add(-l.Within)
	})
	d.passUntil(t, d.now.Add(late))
	report(func(l *Landmark) {
		l.goWell(d.now)
		l.Lag = drawAmong(t, "lag", l.Within-l.Within/4, l.Within, l.Within+1)
		l.Count += drawAmong[uint64](t, "more answers", 0, 0, 1)
	})
	report(func(*Landmark) {})
}

// applyDrain has a process say whether it wants new work.
func (d *day) drain(t *rapid.T) {
	d.reported(d.someone(t), func(in *Instance) {
		in.Draining = drawAmong(t, "drained", false, true)
	})
	d.change(t)
}

// leave ends a process. One that goes on purpose leaves the set, unless it is
// the last; the place of a lost one goes to its heir, if there is one.
func (d *day) leave(t *rapid.T) {
	id, how := d.places[d.someone(t)].id, drawAmong(t, "how", Vacant, SaidGoodbye)
	d.forget()
	i := slices.IndexFunc(d.places, func(p place) bool { return p.id == id })
	p := &d.places[i]
	onPurpose := how == SaidGoodbye || p.Draining
	if len(d.places) > 1 && onPurpose {
		d.places = slices.Delete(d.places, i, i+1)
	} else {
		p.Presence, p.Since = how, d.now
		d.succeed(i)
	}
	d.naive.leave(id, how, onPurpose, d.now)
	d.change(t)
}

// succeed gives vacancy i to its heir, if it has one.
func (d *day) succeed(i int) {
	if heir := Successor(d.instances(), i); heir >= 0 {
		d.places[heir].Instance = *d.places[heir].TakeSlotOf(&d.places[i].Instance)
		d.places = slices.Delete(d.places, i, i+1)
	}
}

// forget drops the vacancies that do not count any more.
func (d *day) forget() {
	there := d.instances()
	counted := Service{Instances: there}.Counted(d.policy, d.now)
	var kept []place
	for i, p := range d.places {
		if p.Presence == Connected || slices.Contains(counted, there[i]) {
			kept = append(kept, p)
		}
	}
	d.places = kept
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

// someone is the place of a process that is there.
func (d *day) someone(t *rapid.T) int {
	var there []int
	for i, p := range d.places {
		if p.Presence == Connected {
			there = append(there, i)
		}
	}
	if len(there) == 0 {
		t.Skip("nobody is there")
	}
	return rapid.SampledFrom(there).Draw(t, "process")
}
