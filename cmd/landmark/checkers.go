package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// checkedCell shows the number of a service's checkers and BFD sessions, and how many of
// them are silent, or else the age of the latest check.
func checkedCell(s *statusv1.Service) terminal.Cell {
	silent, latest := 0, time.Duration(math.MaxInt64)
	for _, c := range s.GetCheckers() {
		if c.GetSilent() {
			silent++
		}
		latest = min(latest, c.GetSinceLastCheck().AsDuration())
	}
	for _, b := range s.GetBfdSessions() {
		if b.GetSilent() {
			silent++
		}
		latest = 0 // packets arrive all the time, unless it is silent
	}
	count := len(s.GetCheckers()) + len(s.GetBfdSessions())
	switch {
	case count == 0:
		return terminal.Text("-")
	case silent > 0:
		return terminal.Coloured(terminal.Red, fmt.Sprintf("by %d, %d silent", count, silent))
	}
	return terminal.Text(fmt.Sprintf("by %d, %s ago", count, duration.Format(latest)))
}

// checkersTables shows the checkers and the BFD sessions of services, below what was
// written of them.
func checkersTables(o output, services []*statusv1.Service) error {
	t := terminal.NewTable("CHECKER", "BY", "RATE", "TOTAL", "LAST")
	var sessions []*statusv1.BFDSession
	for _, s := range services {
		for _, c := range s.GetCheckers() {
			t.Add(checkerCells(c))
		}
		sessions = append(sessions, s.GetBfdSessions()...)
	}
	if t.Empty() && len(sessions) == 0 {
		// landmarkd remembers checkers for a day, and forgets them when it stops. It
		// does not report when it started.
		_, err := fmt.Fprintln(o.out, "\nNo checker has checked it in the last day, or since landmarkd started.")
		return err
	}
	return errors.Join(o.tableBelow(t), o.tableBelow(bfdTable(sessions, ofService)))
}

// otherCheckersTables shows the checkers and the BFD sessions of all services together
// and of unknown names, if there are any.
func otherCheckersTables(o output, checkers *statusv1.CheckersResponse) error {
	t := terminal.NewTable("CHECKED", "CHECKER", "BY", "RATE", "TOTAL", "LAST")
	for _, c := range checkers.GetAll() {
		t.Add(append([]terminal.Cell{terminal.Text("all services")}, checkerCells(c)...))
	}
	for _, u := range checkers.GetUnknown() {
		name := terminal.Coloured(terminal.Red, "unknown: "+terminal.Printable(u.GetName()))
		t.Add(append([]terminal.Cell{name}, checkerCells(u.GetChecker())...))
	}
	return errors.Join(o.tableBelow(t), o.tableBelow(bfdTable(checkers.GetBfdSessions(), ofNoService)))
}

func checkerCells(c *statusv1.Checker) []terminal.Cell {
	return []terminal.Cell{
		terminal.Text(terminal.Printable(c.GetAddress())),
		terminal.Text(terminal.Printable(c.GetFrontEnd())),
		terminal.Text(describe.PerSecond(c.GetPerSecond())),
		terminal.Text(strconv.FormatUint(c.GetTotal(), 10)),
		lastCell(c),
	}
}

// lastCell shows the age of the checker's latest check, in red if it is silent.
func lastCell(c *statusv1.Checker) terminal.Cell {
	if c.GetSilent() {
		return terminal.Coloured(terminal.Red, describe.LastCheck(c))
	}
	return terminal.Text(describe.LastCheck(c))
}
