package judge

import "math"

// Quorum is how many of a service's processes must be well for the service to
// be: all that count, or at least so many.
type Quorum struct {
	// AtLeast is 0 for all.
	AtLeast int
	// NoneNeeded is that no process needs to have reported: until one has, the
	// host's landmarks alone are judged.
	NoneNeeded bool
}

// The quorums with names of their own.
var (
	All        = Quorum{}
	Any        = Quorum{AtLeast: 1}
	NoneNeeded = Quorum{NoneNeeded: true}
)

// tally is what the instances come to for one aspect.
type tally struct {
	verdict  Verdict
	well     int     // instances
	share    float64 // of their full capacity that the instances can use together, 0 to 1
	unwanted bool    // somebody wants the service out
}

// nobody is the tally where no process needs to be there, and none is.
func nobody() tally {
	return tally{verdict: Verdict{Status: Serving, Cause: None, FactsAt: Never, Next: Never}, share: 1}
}

// judge makes the verdict for one aspect of those that count.
func (q Quorum) judge(p Policy, instances []*Instance, a Aspect, now Instant) tally {
	if len(instances) == 0 {
		return tally{verdict: NoService(now)}
	}
	v := Verdict{Status: Serving, Cause: None, FactsAt: Never, Next: Never}
	well, share := 0, 0.0
	for _, in := range instances {
		f := in.judge(p, a, now)
		v.FactsAt = min(v.FactsAt, in.FactsAt(a))
		v.Next = min(v.Next, f.next)
		share += f.share
		if f.cause == None {
			well++
		}
		if f.cause.before(v.Cause) {
			v.Cause, v.instance, v.landmark = f.cause, in, f.landmark
		}
	}
	switch {
	case q.met(well, len(instances)), a == Liveness && v.Cause == None:
		// A process that is not there yet is not dead.
		v.Cause, v.instance, v.landmark = None, nil, nil
	case v.Cause == None:
		// All that there are are well, and too few.
		v.Status, v.Cause = NotServing, Starting
		v.missing = q.AtLeast - well
	default:
		v.Status = NotServing
	}
	return tally{verdict: v, well: well, share: share / float64(len(instances))}
}

func (q Quorum) met(well, counted int) bool {
	if q.AtLeast == 0 {
		return well == counted
	}
	return well >= q.AtLeast
}

// unwanted reports whether a service that is not well is so because processes
// want no work: they drain or have said goodbye, and but for that it would be
// well, or nobody else is there.
func (q Quorum) unwanted(counted []*Instance, t tally) bool {
	leaving, staying := 0, 0
	for _, in := range counted {
		switch {
		case in.Draining || in.Presence == SaidGoodbye:
			leaving++
		case in.Presence == Connected:
			staying++
		}
	}
	switch {
	case leaving > 0 && staying == 0:
		return true
	case t.verdict.missing > 0: // those that stay are well, and too few
		return true
	default: // with those that leave there would be enough
		return q.AtLeast > 0 && t.well+leaving >= q.AtLeast
	}
}

// weight is a share of the full capacity as a weight: in whole percent, and at
// least 1, since 0 means not serving.
func weight(share float64) uint8 {
	return uint8(max(1, math.Round(100*share)))
}
