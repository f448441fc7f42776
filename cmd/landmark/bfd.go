package main

import (
	"slices"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// bfdTable returns a table of BFD sessions. name returns the cell of the name that a
// session follows. One that is Down is red only if its peer is missing: that the service
// does not serve is said above.
func bfdTable(sessions []*statusv1.BFDSession, name func(string) terminal.Cell) *terminal.Table {
	t := terminal.NewTable("BFD PEER", "LOCAL", "SERVICE", "STATE", "FOR", "WHY")
	for _, s := range sessions {
		colour, state := terminal.Yellow, "Down"
		switch {
		case s.GetUp():
			colour, state = terminal.Green, "Up"
		case s.GetSilent():
			colour = terminal.Red
		}
		t.Add([]terminal.Cell{
			terminal.Text(terminal.Printable(s.GetPeer())),
			terminal.Text(terminal.Printable(s.GetLocal())),
			name(terminal.Printable(s.GetName())),
			terminal.Coloured(colour, state),
			terminal.Text(duration.Format(s.GetStateAge().AsDuration())),
			terminal.Coloured(colour, terminal.Printable(s.GetReason())),
		})
	}
	return t
}

// ofService returns the cell of a name of a service.
func ofService(name string) terminal.Cell { return terminal.Text(name) }

// ofNoService returns the cell of a name of all services together, or of none.
func ofNoService(name string) terminal.Cell {
	if slices.Contains(contract.Aspects[:], name) {
		return terminal.Text(name)
	}
	return terminal.Coloured(terminal.Red, "unknown: "+name)
}
