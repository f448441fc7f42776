package main

import (
	"slices"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// settled is how long clients ask before and after every change, so that each is seen to have helped or hurt somebody.
const settled = 700 * time.Millisecond

// bothIn waits until every way has both servers in and lets the clients begin.
func (l *laboratory) bothIn() error {
	return l.play(l.awaitIn(all), l.step(journal.BothIn, l.startClients), l.linger(2*settled))
}

// thereAndBack does harm to rs1, waits until the ways of the kind have it out, repairs it, and waits until all have it in.
func (l *laboratory) thereAndBack(there string, harm act, kind func(way) bool, back string, repair act) act {
	return func() error {
		return l.play(
			l.step(there, harm), l.awaitOut(kind), l.linger(settled), l.awaitClients,
			l.step(back, repair), l.awaitIn(all), l.linger(settled))
	}
}

// wedgeAndFree hangs the program's main loop: its process, its port and its agent live on.
func (l *laboratory) wedgeAndFree() error {
	return l.thereAndBack(journal.Wedged, l.rs1.wedge, asking, journal.Freed, l.rs1.free)()
}

// wedgeUnderControl does the same, and frees the loop only when a client of each control has waited for it in vain.
func (l *laboratory) wedgeUnderControl() error {
	wedged := l.journal.Now()
	return l.play(
		l.step(journal.Wedged, l.rs1.wedge), l.awaitOut(asking), l.awaitClients,
		func() error {
			for _, c := range l.clients {
				if !c.service.blind {
					continue
				}
				err := l.until("a client of "+c.service.name+" to wait in vain", func() bool { return c.failed.Load() > int64(wedged) })
				if err != nil {
					return err
				}
			}
			return nil
		},
		l.step(journal.Freed, l.rs1.free), l.awaitIn(all), l.awaitClients)
}

// hangUnnoticed hangs the program's main loop where nobody asks about it, for long enough that clients give up.
func (l *laboratory) hangUnnoticed() error {
	return l.play(
		l.step(journal.Wedged, l.rs1.wedge), l.linger(2*l.pace.Patience),
		l.step(journal.Freed, l.rs1.free), l.linger(settled))
}

// killAndStart has the program crash, and starts it again.
func (l *laboratory) killAndStart() error {
	return l.thereAndBack(journal.Killed, l.rs1.killProgram, all, journal.Started, l.rs1.startProgram)()
}

// freezeAndThaw stops the whole process. Its port still takes connections.
func (l *laboratory) freezeAndThaw() error {
	return l.thereAndBack(journal.Frozen, l.rs1.freeze, asking, journal.Thawed, l.rs1.thaw)()
}

// cutAndRestore takes rs1 off the network.
func (l *laboratory) cutAndRestore() error {
	return l.thereAndBack(journal.Cut, l.rs1.cut, all, journal.Restored, l.rs1.restore)()
}

// maxRestarts is how often the sidecar is restarted at most until one restart was short enough to show something.
const maxRestarts = 4

// restartSidecar kills the sidecar of rs1 and starts it again. On a busy host that can take longer than the patient ways
// wait, and then shows nothing of what a restart does; so it is repeated until it did not, but not for ever.
func (l *laboratory) restartSidecar() error {
	return l.restartUntil(l.pace.Bearable(slices.ContainsFunc(l.services, func(v virtualService) bool { return v.prompt })))
}

// restartPatiently does the same, but is content with a restart that only the ways which ask bear: the patience of
// landmark-watch cannot be set, and a slow machine exceeds it every time.
func (l *laboratory) restartPatiently() error { return l.restartUntil(l.pace.Bearable(false)) }

func (l *laboratory) restartUntil(bearable time.Duration) error {
	for range maxRestarts {
		began := l.journal.Now()
		err := l.play(
			l.step(journal.SidecarKilled, l.rs1.killSidecar),
			l.step(journal.SidecarStarted, l.rs1.startSidecar),
			l.awaitSidecar(l.rs1),
			l.mark(journal.SidecarServes))
		if err != nil {
			return err
		}
		took := l.journal.Now() - began
		err = l.play(
			// Longer than the retries: had they not been enough, the server would be taken out by then.
			l.linger(l.pace.Patience+time.Second),
			l.awaitIn(all),
			l.mark(journal.Rest))
		if err != nil || took < bearable {
			return err
		}
	}
	return nil
}

// restartWatch kills landmark-watch and starts it again.
func (l *laboratory) restartWatch() error {
	return l.play(
		l.step(journal.WatchKilled, l.killWatchers),
		l.linger(settled),
		l.step(journal.WatchStarted, l.startWatchers),
		l.linger(l.pace.Patience+time.Second),
		l.mark(journal.Rest))
}

// restartKeepalived stops each keepalived and starts it again.
func (l *laboratory) restartKeepalived() error {
	for _, k := range l.keepalived {
		err := l.play(
			l.step(journal.KeepalivedStopped, k.stop),
			l.step(journal.KeepalivedStarted, func() error { return k.start(l.director) }),
			l.awaitIn(all), l.linger(settled))
		if err != nil {
			return err
		}
	}
	return l.mark(journal.Rest)()
}

// inQuickSuccession wedges and frees, kills and starts again, n times each, waiting for the promptest ways alone.
func (l *laboratory) inQuickSuccession(n int) act {
	return func() error {
		l.ipvs.interval.Store(int64(finePollInterval))
		defer l.ipvs.interval.Store(int64(pollInterval))
		for range n {
			err := l.play(
				l.step(journal.KilledBriefly, l.rs1.killProgram), l.awaitOut(prompt),
				l.step(journal.StartedBriefly, l.rs1.startProgram), l.awaitIn(all), l.linger(settled/2))
			if err != nil {
				return err
			}
		}
		for range n {
			err := l.play(
				l.step(journal.WedgedBriefly, l.rs1.wedge), l.awaitOut(prompt),
				l.step(journal.FreedBriefly, l.rs1.free), l.awaitIn(all), l.linger(settled/2))
			if err != nil {
				return err
			}
		}
		return l.mark(journal.Rest)()
	}
}
