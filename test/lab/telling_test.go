//go:build lab

package lab

import (
	"fmt"
	"slices"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// telling is the judgement of one way, as far as it has come.
type telling struct {
	*story
	way
	row     map[string]string
	in      map[string]string // how long it took to be back in, by the column
	outages []phase           // while requests may fail
	away    []phase           // while the director's own program was not there
}

// pair judges something that was done to rs1 and undone: the server must be out, if the way is to hear of it, and in again.
func (t *telling) pair(there, back, column string, hears bool) {
	t.t.Helper()
	if len(t.phases(there)) == 0 {
		return
	}
	harm, repair := t.only(there), t.only(back)
	if !hears {
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
		t.wrong("%s: no client asked after rs1 was taken out at %v", t.name, out)
	}
}

// median is the middle one of the durations.
func median(all []time.Duration) time.Duration {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// quick judges hangs and deaths in quick succession: the prompt ways must have been prompt in the median.
func (t *telling) quick() {
	t.t.Helper()
	t.quickly(journal.KilledBriefly, journal.StartedBriefly, colDeath, 100*time.Millisecond)
	t.quickly(journal.WedgedBriefly, journal.FreedBriefly, colHang, journal.Within+100*time.Millisecond)
}

func (t *telling) quickly(there, back, column string, most time.Duration) {
	t.t.Helper()
	harms, repairs := t.phases(there), t.phases(back)
	var times []time.Duration
	for i, harm := range harms {
		outage := phase{harm.from, repairs[i].until}
		if t.prompt {
			out := t.change(t.name, harm)
			times = append(times, out-harm.from)
			outage.until = out
		}
		t.outages = append(t.outages, outage)
	}
	if !t.prompt || len(times) == 0 {
		return
	}
	slices.Sort(times)
	middle := median(times)
	t.row[column] = fmt.Sprintf("%s (median of %d, longest %s), %s", took(middle), len(times), took(times[len(times)-1]), t.in[column])
	switch slow := t.slow(); {
	case middle <= most:
	case slow != "":
		t.notShown("%s: after %q the server was out after %v in the median, want at most %v: %s", t.name, there, middle, most, slow)
	default:
		t.wrong("%s: after %q the server was out after %v in the median, want at most %v", t.name, there, times, most)
	}
}

// drain judges what a drain did: nobody who was connected may be cut off, unless the way removes servers, and nobody new may come to
// the drained server.
func (t *telling) drain() {
	t.t.Helper()
	for i, harm := range t.phases(journal.Drained) {
		if t.blind {
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
		t.row[colBroken], t.row[colStrayed] = fmt.Sprintf("%d of %d", d.Broken, d.Established), fmt.Sprintf("%d of %d", d.Strayed, d.New)
		if d.Established < d.Crowd || d.OnDrained < d.Established/3 {
			t.wrong("%s: %d of %d connections were to rs1 when it was drained, want about half of %d, and the clients that asked meanwhile", t.name, d.OnDrained, d.Established, d.Crowd)
		}
		if d.Broken > 0 && !t.removes {
			t.wrong("%s: the drain broke %d of %d connections, want none; one of them: %s", t.name, d.Broken, d.Established, d.Why)
		}
		if d.New < d.Crowd || d.Strayed > 0 || d.Failed > 0 {
			t.wrong("%s: of %d connections opened after the drain, %d came to the drained server and %d failed, want %d, 0 and 0", t.name, d.New, d.Strayed, d.Failed, d.Crowd)
		}
	}
}

// sidecar judges restarts of landmarkd: one that was over within the patience must have moved nothing.
func (t *telling) sidecar() {
	t.t.Helper()
	killed, serves := t.phases(journal.SidecarKilled), t.phases(journal.SidecarServes)
	within := 0
	bearable := t.Pace.Bearable(t.prompt)
	for i, k := range killed {
		away := phase{k.from, serves[i].until}
		changes := t.changes(t.name, "rs1", away)
		if serves[i].from-k.from < bearable {
			within++
			t.steady(t.name, "rs1", away)
			t.row[colSidecar] = staysIn(changes)
		} else if len(changes) > 0 {
			t.outages = append(t.outages, phase{changes[0], changes[0]})
		}
	}
	if len(killed) > 0 && within == 0 {
		t.notShown("%s: none of %d restarts of the sidecar was over within the %v that the way bears", t.name, len(killed), bearable)
		t.row[colSidecar] = "not shown"
	}
}

// watch judges a restart of landmark-watch, which must move nothing.
func (t *telling) watch() {
	t.t.Helper()
	for i, k := range t.phases(journal.WatchKilled) {
		away := phase{k.from, t.phases(journal.WatchStarted)[i].until}
		t.steady(t.name, "rs1", away)
		if t.prompt {
			t.row[colWatch] = staysIn(t.changes(t.name, "rs1", away))
		}
	}
}

// staysIn says whether a server that was to stay in did.
func staysIn(changes []time.Duration) string {
	if len(changes) > 0 {
		return fmt.Sprintf("moved %d times", len(changes))
	}
	return "stays in"
}

// director tells what a restart of the director's own program did: it takes the whole service away with it.
func (t *telling) director() {
	t.t.Helper()
	started := t.phases(journal.KeepalivedStarted)
	for i, stopped := range t.phases(journal.KeepalivedStopped) {
		changes := t.changes(t.name, "rs1", phase{stopped.from, started[i].until})
		if len(changes) == 0 {
			continue // another way's
		}
		away := phase{stopped.from, changes[len(changes)-1]}
		lost := failed(t.requests(t.name, away))
		t.row[colDirector] = fmt.Sprintf("away for %s, %d requests failed", took(away.until-away.from), len(lost))
		t.outages, t.away = append(t.outages, away), append(t.away, away)
	}
}

// ramp judges how the weight came back after a death: in steps, upwards.
func (t *telling) ramp() {
	t.t.Helper()
	if t.weight == 0 {
		return
	}
	started := t.only(journal.Started)
	var steps []weighing
	for _, w := range t.weights(t.name, "rs1") {
		if w.at > started.from && w.at <= started.until {
			steps = append(steps, w)
		}
	}
	rising := slices.IsSortedFunc(steps, func(a, b weighing) int { return a.weight - b.weight })
	if len(steps) < 2 || !rising || steps[len(steps)-1].weight != t.weight {
		t.wrong("%s: after the start of rs1 its weights were %v, want them to grow to %d in steps", t.name, steps, t.weight)
		return
	}
	t.row[colRamp] = fmt.Sprintf("%d weights in %s", len(steps), took(steps[len(steps)-1].at-steps[0].at))
}

// other judges rs2, to which nothing is done.
func (t *telling) other() {
	t.t.Helper()
	changes := slices.DeleteFunc(t.changes(t.name, "rs2", phase{t.only(journal.BothIn).from, end}), func(at time.Duration) bool {
		return slices.ContainsFunc(t.away, func(p phase) bool { return at >= p.from && at <= p.until+time.Second })
	})
	if len(changes) > 0 {
		t.wrong("%s: the presence of rs2 changed at %v, though nothing was done to it", t.name, changes)
	}
}

// clients judges what the clients had of it all: whatever did not meet rs1 between its failure and its removal got a programme.
func (t *telling) clients() {
	t.t.Helper()
	unexcused := t.unexcused(t.name, t.outages)
	for _, r := range unexcused {
		t.wrong("%s: a client that asked at %v had no programme by %v, though rs1 was well or out then", t.name, r.Start, r.End)
	}
	everything := t.requests(t.name, phase{0, end})
	t.row[colFailed] = fmt.Sprintf("%d of %d, %d unexcused", len(failed(everything)), len(everything), len(unexcused))
}
