package main

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// maxRestarts is how often the sidecar is restarted at most until one restart was short enough to show something.
const maxRestarts = 4

// udpCheck plays the life of a real server under keepalived's UDP_CHECK, and under a TCP_CHECK as a control: its main
// loop wedges and is freed, its program dies and is started again, its sidecar dies and is started again.
func udpCheck(ctx context.Context, j *journal.Writer, programs string) error {
	asked := virtualService{name: journal.Asked, address: "192.0.2.80"}
	control := virtualService{name: journal.Control, address: "192.0.2.81"}
	l, err := openLaboratory(ctx, j, programs, asked, control)
	if err != nil {
		return err
	}
	err = l.startKeepalived(
		keepalivedService{virtualService: asked, loop: "0.25", checker: udpChecker},
		keepalivedService{virtualService: control, loop: "1", checker: tcpChecker})
	if err != nil {
		return err
	}
	return l.play(
		l.awaitServers(journal.Asked, "rs1", "rs2"),
		l.awaitServers(journal.Control, "rs1", "rs2"),
		l.step(journal.BothIn, l.startClients),
		l.awaitProgrammes(journal.Asked, 12),
		l.awaitProgrammes(journal.Control, 12),

		l.step(journal.Wedged, l.rs1.wedge),
		l.awaitServers(journal.Asked, "rs2"),
		l.askByProgram(journal.Asked),
		l.awaitProgrammes(journal.Asked, 12),
		l.awaitFailures(journal.Control, 2),

		l.step(journal.Freed, l.rs1.free),
		l.awaitServers(journal.Asked, "rs1", "rs2"),
		l.awaitProgrammes(journal.Asked, 12),

		l.step(journal.Killed, l.rs1.killProgram),
		l.awaitServers(journal.Asked, "rs2"),
		l.awaitProgrammes(journal.Asked, 12),

		l.step(journal.Started, l.rs1.startProgram),
		l.awaitServers(journal.Asked, "rs1", "rs2"),
		l.awaitProgrammes(journal.Asked, 12),

		l.restartSidecar,

		// That it stayed in was no mere want of answers: the new sidecar tells of a wedge as the old one did.
		l.step(journal.WedgedAgain, l.rs1.wedge),
		l.awaitServers(journal.Asked, "rs2"),
		l.awaitProgrammes(journal.Asked, 12),
	)
}

// restartSidecar kills the sidecar of rs1 and starts it again. On a busy host that can take longer than keepalived is
// patient, and then shows nothing of what a restart does; so it is repeated until it did not, but not for ever.
func (l *laboratory) restartSidecar() error {
	for range maxRestarts {
		began := l.journal.Now()
		err := l.play(
			l.step(journal.SidecarKilled, l.rs1.killSidecar),
			l.step(journal.SidecarStarted, l.rs1.startSidecar),
			l.awaitSidecar(l.rs1),
			l.mark(journal.SidecarServes),
		)
		if err != nil {
			return err
		}
		took := l.journal.Now() - began
		err = l.play(
			// Longer than the checker's retries: had they not been enough, the server would be taken out by then.
			l.linger(journal.Patience+time.Second),
			l.awaitServers(journal.Asked, "rs1", "rs2"),
		)
		if err != nil || took < journal.Patience {
			return err
		}
	}
	return nil
}
