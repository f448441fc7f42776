package main

import (
	"context"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// udpCheck plays the life of a real server under keepalived's UDP_CHECK, and under a TCP_CHECK as a control: its main
// loop wedges and is freed, its program dies and is started again, its sidecar dies and is started again.
func udpCheck(ctx context.Context, j *journal.Writer, programs string) error {
	l, err := openLaboratory(ctx, j, programs, []virtualService{
		{name: journal.Asked, address: "192.0.2.80", loop: "0.25", checker: udpChecker},
		{name: journal.Control, address: "192.0.2.81", loop: "1", checker: tcpChecker},
	})
	if err != nil {
		return err
	}
	servers := []string{l.rs1.address, l.rs2.address}
	if _, err := startKeepalived(l.director, keepalivedConfiguration(l.services, servers)); err != nil {
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

		l.step(journal.SidecarKilled, l.rs1.killSidecar),
		l.step(journal.SidecarStarted, l.rs1.startSidecar),
		l.awaitSidecar(l.rs1),
		l.mark(journal.SidecarServes),
		// Longer than the checker's retries: had they not been enough, the server would be taken out by then.
		l.linger(3*time.Second),
		l.awaitServers(journal.Asked, "rs1", "rs2"),

		// That it stayed in was no mere want of answers: the new sidecar tells of a wedge as the old one did.
		l.step(journal.WedgedAgain, l.rs1.wedge),
		l.awaitServers(journal.Asked, "rs2"),
		l.awaitProgrammes(journal.Asked, 12),
	)
}
