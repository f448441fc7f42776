package main

import (
	"context"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// externalCheck plays the life of a real server under ldirectord, which runs landmark-check for every check: its main
// loop wedges and is freed, its program dies and is started again.
func externalCheck(ctx context.Context, j *journal.Writer, programs string) error {
	asked := virtualService{name: journal.Asked, address: "192.0.2.80"}
	l, err := openLaboratory(ctx, j, programs, asked)
	if err != nil {
		return err
	}
	if err := l.startLdirectord(asked); err != nil {
		return err
	}
	return l.play(
		l.awaitServers(journal.Asked, "rs1", "rs2"),
		l.step(journal.BothIn, l.startClients),
		l.awaitProgrammes(journal.Asked, 12),

		l.step(journal.Wedged, l.rs1.wedge),
		l.awaitServers(journal.Asked, "rs2"),
		l.awaitProgrammes(journal.Asked, 12),

		l.step(journal.Freed, l.rs1.free),
		l.awaitServers(journal.Asked, "rs1", "rs2"),
		l.awaitProgrammes(journal.Asked, 12),

		l.step(journal.Killed, l.rs1.killProgram),
		l.awaitServers(journal.Asked, "rs2"),
		l.awaitProgrammes(journal.Asked, 12),

		l.step(journal.Started, l.rs1.startProgram),
		l.awaitServers(journal.Asked, "rs1", "rs2"),
		l.awaitProgrammes(journal.Asked, 12),
	)
}
