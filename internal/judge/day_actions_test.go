package judge

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// The events of a day. The slots are kept as the registry keeps them.

// join makes a new process report.
func (d *day) join(t *rapid.T) {
	d.forget()
	p := d.newSlot(t, rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "name"))
	d.slots = slices.DeleteFunc(d.slots, func(q slot) bool {
		return q.restored != nil && q.restored.Presence == SaidGoodbye && q.Name != p.Name
	})
	started := p.HasStarted()
	there := d.instances()
	i := AssignSlot(d.policy, there, p.Name, started, d.now)
	before := Instance{Since: d.now}
	if i == len(there) {
		with, spare := AddSlot(d.policy, there, d.now)
		for j, in := range with {
			d.slots[j].Instance = *in
		}
		before.Newcomer, before.Seq = len(there) > 0, spare
		d.slots = append(d.slots, slot{})
	} else {
		before.Newcomer, before.Seq = there[i].Newcomer, there[i].Seq
		if there[i].Presence == Awaited {
			before.ReliefSeq = there[i].ReliefSeq
		}
	}
	p.ContinueFrom(&before, d.policy)
	d.slots[i] = p
	if started {
		d.dropOthers(p)
	}
	d.naive.join(p.id, p.Name, allReached(member{facts: p.Landmarks}), d.now)
	d.change(t)
}

// dropOthers drops the slots of other processes with p's name.
func (d *day) dropOthers(p slot) {
	d.slots = slices.DeleteFunc(d.slots, func(q slot) bool { return q.id != p.id && q.Name == p.Name })
}

func (d *day) newSlot(t *rapid.T, name string) slot {
	d.processes++
	p := slot{id: d.processes, Instance: Instance{Name: name, Since: d.now, ReportedAt: d.now}}
	p.Landmarks = drawLandmarks(t, d.now)
	return p
}

func (d *day) instances() []*Instance {
	var instances []*Instance
	for _, p := range d.slots {
		instances = append(instances, new(p.Instance))
	}
	return instances
}

// reported applies change to the instance in slot i, as a report.
func (d *day) reported(i int, change func(*Instance)) {
	p := &d.slots[i]
	before := p.Instance
	p.Landmarks, p.ReportedAt = slices.Clone(p.Landmarks), d.now
	change(&p.Instance)
	id := p.id
	if before.Newcomer && p.HasStarted() {
		if j := Namesake(d.instances(), i); j >= 0 {
			before = *before.TakeSlotOf(&d.slots[j].Instance)
			d.dropOthers(*p)
			p = &d.slots[slices.IndexFunc(d.slots, func(p slot) bool { return p.id == id })]
		}
	}
	p.ContinueFrom(&before, d.policy)
	d.naive.report(id, allReached(member{facts: p.Landmarks}))
}

// report makes a process report: for each landmark the same as before, healthy, or
// any. It may declare other landmarks first.
func (d *day) report(t *rapid.T) {
	d.reported(d.drawConnected(t), func(in *Instance) {
		if drawOneOf(t, "declare", false, false, false, true) {
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

// work lets time pass while every process reports, mostly that it is healthy.
func (d *day) work(t *rapid.T) {
	same := drawOneOf(t, "nothing new", false, false, false, true)
	for range drawOneOf(t, "reports", 1, 2, 4) {
		d.passUntil(t, d.now.Add(beat))
		var ids []int
		for _, p := range d.slots {
			ids = append(ids, p.id)
		}
		for _, id := range ids {
			i := slices.IndexFunc(d.slots, func(p slot) bool { return p.id == id })
			if i < 0 || d.slots[i].Presence != Connected {
				continue
			}
			d.reported(i, func(in *Instance) {
				for j := range in.Landmarks {
					if !same {
						setHealthy(&in.Landmarks[j], d.now)
					}
				}
			})
		}
		d.host.ReadAt = d.now
		d.change(t)
	}
}

// hang makes a main loop answer late, or almost late, while all else is healthy.
func (d *day) hang(t *rapid.T) {
	p := d.slots[d.drawConnected(t)]
	i := slices.IndexFunc(p.Landmarks, func(l Landmark) bool { return l.Kind == KindLoop })
	if i < 0 {
		t.Skip("it has no main loop")
	}
	report := func(change func(*Landmark)) {
		at := slices.IndexFunc(d.slots, func(q slot) bool { return q.id == p.id })
		d.reported(at, func(in *Instance) {
			for j := range in.Landmarks {
				if j != i {
					setHealthy(&in.Landmarks[j], d.now)
				}
			}
			change(&in.Landmarks[i])
		})
		d.change(t)
	}
	late := drawOneOf(t, "late by", 0, 1, beat)
	report(func(l *Landmark) {
		setHealthy(l, d.now)
		l.Open, l.At = true, d.now.Add(-l.Within)
	})
	d.passUntil(t, d.now.Add(late))
	report(func(l *Landmark) {
		setHealthy(l, d.now)
		l.Lag = drawOneOf(t, "lag", l.Within-l.Within/4, l.Within, l.Within+1)
		l.Count += drawOneOf[uint64](t, "more answers", 0, 0, 1)
	})
	report(func(*Landmark) {})
}

// drain makes a process report whether it is draining.
func (d *day) drain(t *rapid.T) {
	d.reported(d.drawConnected(t), func(in *Instance) {
		in.Draining = drawOneOf(t, "drained", false, true)
	})
	d.change(t)
}

// leave ends a process. One that leaves on purpose leaves no slot, unless it is the
// last. The slot of a lost one goes to its successor, if there is one.
func (d *day) leave(t *rapid.T) {
	id, how := d.slots[d.drawConnected(t)].id, drawOneOf(t, "how", Vacant, SaidGoodbye)
	d.forget()
	i := slices.IndexFunc(d.slots, func(p slot) bool { return p.id == id })
	p := &d.slots[i]
	onPurpose := how == SaidGoodbye || p.Draining
	if len(d.slots) > 1 && onPurpose {
		d.slots = slices.Delete(d.slots, i, i+1)
	} else {
		p.Presence, p.Since = how, d.now
		d.fillVacancy(i)
	}
	d.naive.leave(id, how, onPurpose, d.now)
	d.change(t)
}

// fillVacancy gives slot i to its successor, if it has one.
func (d *day) fillVacancy(i int) {
	if heir := Successor(d.instances(), i); heir >= 0 {
		d.slots[heir].Instance = *d.slots[heir].TakeSlotOf(&d.slots[i].Instance)
		d.slots = slices.Delete(d.slots, i, i+1)
	}
}

// forget drops the vacancies that no longer count.
func (d *day) forget() {
	there := d.instances()
	counted := Service{Instances: there}.Counted(d.policy, d.now)
	var kept []slot
	for i, p := range d.slots {
		if p.Presence == Connected || slices.Contains(counted, there[i]) {
			kept = append(kept, p)
		}
	}
	d.slots = kept
}

// operatorDrain makes an operator drain or resume the service.
func (d *day) operatorDrain(t *rapid.T) {
	d.drained = drawOneOf(t, "drained", false, false, true)
	d.change(t)
}

// readHost makes the sidecar read the host.
func (d *day) readHost(t *rapid.T) {
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

// passToTurn lets time pass to an instant at which the result may change, or a
// nanosecond before or after.
func (d *day) passToTurn(t *rapid.T) {
	turns := d.naive.turns(d.now, d.now.Add(2*time.Hour))
	if d.result.Next != Never {
		turns = append(turns, d.result.Next)
	}
	if len(turns) == 0 {
		t.Skip("time changes nothing")
	}
	turn := rapid.SampledFrom(turns).Draw(t, "turn") + Instant(rapid.IntRange(-1, 1).Draw(t, "off by"))
	d.passUntil(t, max(d.now, turn))
}

// drawConnected draws the slot of a connected process.
func (d *day) drawConnected(t *rapid.T) int {
	var there []int
	for i, p := range d.slots {
		if p.Presence == Connected {
			there = append(there, i)
		}
	}
	if len(there) == 0 {
		t.Skip("no process is connected")
	}
	return rapid.SampledFrom(there).Draw(t, "process")
}
