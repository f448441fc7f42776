//go:build lab

package lab

import (
	"fmt"
	"slices"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// wayCheck checks one way, and fills its row of the table.
type wayCheck struct {
	*findings
	way
	row     map[string]string
	in      map[string]string // how long it took until rs1 was in again, by column
	outages []phase           // in which requests may fail
	away    []phase           // in which the director's own program did not run
}

// pair checks a harm to rs1 and its repair. If the way detects the harm, the server must be out, and in again.
func (t *wayCheck) pair(harmStep, repairStep, column string, detects bool) {
	t.t.Helper()
	if len(t.phases(harmStep)) == 0 {
		return
	}
	harm, repair := t.only(harmStep), t.only(repairStep)
	if !detects {
		t.steady(t.name, "rs1", phase{harm.from, repair.until})
		t.row[column] = "never"
		t.outages = append(t.outages, phase{harm.from, repair.until})
		return
	}
	out := t.change(t.name, harm)
	in := t.change(t.name, repair)
	t.in[column] = took(in - repair.from)
	t.row[column] = took(out-harm.from) + ", " + t.in[column]
	t.outages = append(t.outages, phase{harm.from, out})
	if len(t.requests(t.name, phase{out, repair.from})) == 0 {
		t.errorf("%s: requests after rs1 was taken out at %v: got none, want some", t.name, out)
	}
}

// median returns the median of the durations.
func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// quick checks hangs and deaths in quick succession. The pushed ways must detect them within a bound, in the median.
func (t *wayCheck) quick() {
	t.t.Helper()
	t.quickly(journal.KilledBriefly, journal.StartedBriefly, colDeath, 100*time.Millisecond)
	t.quickly(journal.HungBriefly, journal.FreedBriefly, colHang, t.Speed.Within+100*time.Millisecond)
}

func (t *wayCheck) quickly(harmStep, repairStep, column string, most time.Duration) {
	t.t.Helper()
	harms, repairs := t.phases(harmStep), t.phases(repairStep)
	var times []time.Duration
	for i, harm := range harms {
		outage := phase{harm.from, repairs[i].until}
		if t.pushed {
			out := t.change(t.name, harm)
			times = append(times, out-harm.from)
			outage.until = out
		}
		t.outages = append(t.outages, outage)
	}
	if !t.pushed || len(times) == 0 {
		return
	}
	slices.Sort(times)
	middle := median(times)
	t.row[column] = fmt.Sprintf("%s (median of %d, longest %s), %s", took(middle), len(times), took(times[len(times)-1]), t.in[column])
	switch slow := t.slow(); {
	case middle <= most:
	case slow != "":
		t.inconclusivef("%s: median time from %q until rs1 was out: got %v, want at most %v: %s", t.name, harmStep, middle, most, slow)
	default:
		t.errorf("%s: median time from %q until rs1 was out: got %v of %v, want at most %v", t.name, harmStep, middle, times, most)
	}
}

// drain checks a drain: it breaks no connection, unless the way removes servers, and no new connection reaches the drained
// server.
func (t *wayCheck) drain() {
	t.t.Helper()
	for i, harm := range t.phases(journal.Drained) {
		if t.control {
			t.row[colDrain] = "never"
			continue
		}
		out := t.change(t.name, harm)
		t.change(t.name, t.phases(journal.Resumed)[i])
		t.row[colDrain] = took(out - harm.from)
		if t.removes {
			t.outages = append(t.outages, phase{out, out})
		}
	}
	for _, d := range t.Drains {
		if d.Service != t.name {
			continue
		}
		t.row[colBroken], t.row[colMisrouted] = fmt.Sprintf("%d of %d", d.Broken, d.Established), fmt.Sprintf("%d of %d", d.Misrouted, d.New)
		if d.Established < d.Crowd || d.OnDrained < d.Established/3 {
			t.errorf("%s: connections to rs1 when it was drained: got %d of %d, want about half of at least %d", t.name, d.OnDrained, d.Established, d.Crowd)
		}
		if d.Broken > 0 && !t.removes {
			t.errorf("%s: connections that the drain broke: got %d of %d, want 0; one of them: %s", t.name, d.Broken, d.Established, d.Why)
		}
		if d.New < d.Crowd || d.Misrouted > 0 || d.Failed > 0 {
			t.errorf("%s: connections opened after the drain: got %d, %d to the drained server and %d failed, want %d, 0 and 0", t.name, d.New, d.Misrouted, d.Failed, d.Crowd)
		}
	}
}

// sidecar checks restarts of landmarkd: one that is shorter than the checkers' timeout must change nothing.
func (t *wayCheck) sidecar() {
	t.t.Helper()
	killed, serves := t.phases(journal.SidecarKilled), t.phases(journal.SidecarServes)
	within, moved := 0, 0
	maxAbsence := t.Speed.MaxAbsence(t.name)
	for i, k := range killed {
		away := phase{k.from, serves[i].until}
		changes := t.changes(t.name, "rs1", away)
		if serves[i].from-k.from < maxAbsence {
			within++
			moved += len(changes)
			t.steady(t.name, "rs1", away)
		} else if len(changes) > 0 {
			t.outages = append(t.outages, phase{changes[0], changes[0]})
		}
	}
	switch least := max(1, t.restarts); {
	case len(killed) == 0:
	case within < least:
		t.inconclusivef("%s: %d of %d restarts of landmarkd were shorter than the %v that the way tolerates, want %d", t.name, within, len(killed), maxAbsence, least)
		t.row[colSidecar] = "not shown"
	case t.restarts > 0:
		t.row[colSidecar] = fmt.Sprintf("%s, %d times", staysIn(moved), within)
	default:
		t.row[colSidecar] = staysIn(moved)
	}
}

// watch checks a restart of landmark-watch, which must change nothing.
func (t *wayCheck) watch() {
	t.t.Helper()
	for i, k := range t.phases(journal.WatchKilled) {
		away := phase{k.from, t.phases(journal.WatchStarted)[i].until}
		t.steady(t.name, "rs1", away)
		if t.pushed {
			t.row[colWatch] = staysIn(len(t.changes(t.name, "rs1", away)))
		}
	}
}

// staysIn describes whether a server that must stay in did, from the number of its changes.
func staysIn(changes int) string {
	if changes > 0 {
		return fmt.Sprintf("moved %d times", changes)
	}
	return "stays in"
}

// director reports what a restart of the director's own program did: without it, the whole service is away.
func (t *wayCheck) director() {
	t.t.Helper()
	started := t.phases(journal.KeepalivedStarted)
	for i, stopped := range t.phases(journal.KeepalivedStopped) {
		changes := t.changes(t.name, "rs1", phase{stopped.from, started[i].until})
		if len(changes) == 0 {
			continue // a restart of another way's program
		}
		away := phase{stopped.from, changes[len(changes)-1]}
		lost := failed(t.requests(t.name, away))
		t.row[colDirector] = fmt.Sprintf("away for %s, %d requests failed", took(away.until-away.from), len(lost))
		t.outages, t.away = append(t.outages, away), append(t.away, away)
	}
}

// ramp checks that after a death the weight grows to its full value in steps.
func (t *wayCheck) ramp() {
	t.t.Helper()
	if t.weight == 0 {
		return
	}
	started := t.only(journal.Started)
	var steps []weightChange
	for _, w := range t.weights(t.name, "rs1") {
		if w.at > started.from && w.at <= started.until {
			steps = append(steps, w)
		}
	}
	rising := slices.IsSortedFunc(steps, func(a, b weightChange) int { return a.weight - b.weight })
	if len(steps) < 2 || !rising || steps[len(steps)-1].weight != t.weight {
		t.errorf("%s: weights of rs1 after its start: got %v, want growth to %d in steps", t.name, steps, t.weight)
		return
	}
	t.row[colRamp] = fmt.Sprintf("%d weights in %s", len(steps), took(steps[len(steps)-1].at-steps[0].at))
}

// other checks that rs2, to which nothing is done, stays in.
func (t *wayCheck) other() {
	t.t.Helper()
	changes := slices.DeleteFunc(t.changes(t.name, "rs2", phase{t.only(journal.BothIn).from, end}), func(at time.Duration) bool {
		return slices.ContainsFunc(t.away, func(p phase) bool { return at >= p.from && at <= p.until+time.Second })
	})
	if len(changes) > 0 {
		t.errorf("%s: changes of rs2: got %v, want none, because nothing was done to it", t.name, changes)
	}
}

// clients checks that every request got a programme, except those that reached rs1 between its failure and its removal.
func (t *wayCheck) clients() {
	t.t.Helper()
	unexcused := t.unexcused(t.name, t.outages)
	for _, r := range unexcused {
		t.errorf("%s: request at %v: got no programme by %v, want one, because rs1 was healthy or out then", t.name, r.Start, r.End)
	}
	everything := t.requests(t.name, phase{0, end})
	t.row[colFailed] = fmt.Sprintf("%d of %d, %d unexcused", len(failed(everything)), len(everything), len(unexcused))
}
