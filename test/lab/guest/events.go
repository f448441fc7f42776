package main

import (
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// clientPause is how long the scenario waits before and after every event, so that client requests show its effect.
const clientPause = 700 * time.Millisecond

// bothIn waits until every way has both servers in, and starts the clients.
func (l *lab) bothIn() error {
	return l.play(l.awaitIn(all), l.step(journal.BothIn, l.startClients), l.linger(2*clientPause))
}

// harmAndRepair harms rs1, waits until it is out by the ways of the kind, repairs it, and waits until it is in by all.
func (l *lab) harmAndRepair(harmStep string, harm action, kind func(way) bool, repairStep string, repair action) action {
	return func() error {
		return l.play(
			l.step(harmStep, harm), l.awaitOut(kind), l.linger(clientPause), l.awaitClients,
			l.step(repairStep, repair), l.awaitIn(all), l.linger(clientPause))
	}
}

// hangAndFree makes the program's main loop hang. Its process, its port and its agent go on.
func (l *lab) hangAndFree() error {
	return l.harmAndRepair(journal.Hung, l.rs1.hang, detectsHang, journal.Freed, l.rs1.free)()
}

// hangUntilControlFails makes the main loop hang until a request through each control has failed.
func (l *lab) hangUntilControlFails() error {
	hung := l.journal.Now()
	return l.play(
		l.step(journal.Hung, l.rs1.hang), l.awaitOut(detectsHang), l.awaitClients,
		func() error {
			for _, c := range l.clients {
				if !c.service.control {
					continue
				}
				err := l.until("a request of a client of "+c.service.name+" to fail", func() bool { return c.failed.Load() > int64(hung) })
				if err != nil {
					return err
				}
			}
			return nil
		},
		l.step(journal.Freed, l.rs1.free), l.awaitIn(all), l.awaitClients)
}

// hangControl makes the program's main loop hang for so long that requests fail. It is for controls, which do not detect it.
func (l *lab) hangControl() error {
	return l.play(
		l.step(journal.Hung, l.rs1.hang), l.linger(2*l.speed.Timeout),
		l.step(journal.Freed, l.rs1.free), l.linger(clientPause))
}

// killAndStart kills the program, and starts it again.
func (l *lab) killAndStart() error {
	return l.harmAndRepair(journal.Killed, l.rs1.killProgram, all, journal.Started, l.rs1.startProgram)()
}

// freezeAndThaw stops the whole process. Its port still accepts connections.
func (l *lab) freezeAndThaw() error {
	return l.harmAndRepair(journal.Frozen, l.rs1.freeze, detectsHang, journal.Thawed, l.rs1.thaw)()
}

// cutAndRestore takes rs1 off the network.
func (l *lab) cutAndRestore() error {
	return l.harmAndRepair(journal.Cut, l.rs1.cut, all, journal.Restored, l.rs1.restore)()
}

// maxRestarts is how many restarts of the sidecar may be needed until one is short enough.
const maxRestarts = 4

// restartSidecar kills the sidecar of rs1 and starts it again. On a busy host that can take longer than the timeouts of the
// ways, and then does not show what a restart does. So it is repeated until it was shorter.
func (l *lab) restartSidecar() error { return l.restartTimes(1)() }

// restartTimes restarts the sidecar until n restarts were shorter than the timeouts of all ways.
func (l *lab) restartTimes(n int) action {
	return func() error {
		shortest := l.speed.Timeout
		for _, v := range l.services {
			shortest = min(shortest, l.speed.MaxAbsence(v.name))
		}
		return l.restartUntil(n, shortest)
	}
}

// restartForCheckers does the same once, but without regard to the timeout of landmark-watch: that cannot be configured, and
// a slow machine always exceeds it.
func (l *lab) restartForCheckers() error {
	return l.restartUntil(1, min(l.speed.MaxAbsence(journal.UDP), l.speed.MaxAbsence(journal.BFD)))
}

// restartUntil restarts the sidecar until n restarts were shorter than maxAbsence, unless more than maxRestarts-1 were not.
func (l *lab) restartUntil(n int, maxAbsence time.Duration) error {
	for tries := n + maxRestarts - 1; n > 0 && tries > 0; tries-- {
		absence, err := l.restartSidecarOnce()
		if err != nil {
			return err
		}
		if absence < maxAbsence {
			n--
		}
	}
	return nil
}

// restartSidecarOnce returns for how long the sidecar was away.
func (l *lab) restartSidecarOnce() (absence time.Duration, err error) {
	began := l.journal.Now()
	err = l.play(
		l.step(journal.SidecarKilled, l.rs1.killSidecar),
		l.step(journal.SidecarStarted, l.rs1.startSidecar),
		l.awaitSidecar(l.rs1),
		l.mark(journal.SidecarServes))
	if err != nil {
		return 0, err
	}
	absence = l.journal.Now() - began
	return absence, l.play(
		// Longer than the retries: if they did not suffice, the server is out by then.
		l.linger(l.speed.Timeout+time.Second),
		l.awaitIn(all),
		l.mark(journal.Rest))
}

// restartWatch kills landmark-watch and starts it again.
func (l *lab) restartWatch() error {
	return l.play(
		l.step(journal.WatchKilled, l.killWatchers),
		l.linger(clientPause),
		l.step(journal.WatchStarted, l.startWatchers),
		l.linger(l.speed.Timeout+time.Second),
		l.mark(journal.Rest))
}

// restartKeepalived stops each keepalived and starts it again.
func (l *lab) restartKeepalived() error {
	for _, k := range l.keepalived {
		own := func(w way) bool { return w.name == k.service }
		err := l.play(
			// Without the wait, awaitIn could see the table of before.
			l.step(journal.KeepalivedStopped, k.stop), l.awaitAway(own),
			l.step(journal.KeepalivedStarted, func() error { return k.start(l.director) }),
			l.awaitIn(all), l.linger(clientPause))
		if err != nil {
			return err
		}
	}
	return l.mark(journal.Rest)()
}

// repeatBriefly kills and starts the program, and makes its loop hang and frees it, n times each. It waits only for the pushed ways.
func (l *lab) repeatBriefly(n int) action {
	return func() error {
		l.ipvs.interval.Store(int64(finePollInterval))
		defer l.ipvs.interval.Store(int64(pollInterval))
		briefly := func(harmStep string, harm action, repairStep string, repair action) action {
			return func() error {
				return l.play(
					l.step(harmStep, harm), l.awaitOut(pushed),
					l.step(repairStep, repair), l.awaitIn(all), l.linger(clientPause/2))
			}
		}
		var actions []action
		for range n {
			actions = append(actions, briefly(journal.KilledBriefly, l.rs1.killProgram, journal.StartedBriefly, l.rs1.startProgram))
		}
		for range n {
			actions = append(actions, briefly(journal.HungBriefly, l.rs1.hang, journal.FreedBriefly, l.rs1.free))
		}
		return l.play(append(actions, l.mark(journal.Rest))...)
	}
}
