package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// checkedCell shows the number of checkers, and how many of them are silent, or else
// the age of the latest check.
func checkedCell(checkers []*statusv1.Checker) terminal.Cell {
	silent, latest := 0, time.Duration(math.MaxInt64)
	for _, c := range checkers {
		if c.GetSilent() {
			silent++
		}
		latest = min(latest, c.GetSinceLastCheck().AsDuration())
	}
	switch {
	case len(checkers) == 0:
		return terminal.Text("-")
	case silent > 0:
		return terminal.Coloured(terminal.Red, fmt.Sprintf("by %d, %d silent", len(checkers), silent))
	}
	return terminal.Text(fmt.Sprintf("by %d, %s ago", len(checkers), duration.Format(latest)))
}

// checkersTable shows the checkers of services, below what was written of them.
func checkersTable(o output, services []*statusv1.Service) error {
	t := terminal.NewTable("CHECKER", "BY", "RATE", "TOTAL", "LAST")
	for _, s := range services {
		for _, c := range s.GetCheckers() {
			t.Add(checkerCells(c))
		}
	}
	if t.Empty() {
		// landmarkd remembers checkers for a day, and forgets them when it stops. It
		// does not report when it started.
		_, err := fmt.Fprintln(o.out, "\nNo checker has checked it in the last day, or since landmarkd started.")
		return err
	}
	return o.tableBelow(t)
}

// otherCheckersTable shows the checkers of all services together and of unknown names,
// if there are any.
func otherCheckersTable(o output, checkers *statusv1.CheckersResponse) error {
	t := terminal.NewTable("CHECKED", "CHECKER", "BY", "RATE", "TOTAL", "LAST")
	for _, c := range checkers.GetAll() {
		t.Add(append([]terminal.Cell{terminal.Text("all services")}, checkerCells(c)...))
	}
	for _, u := range checkers.GetUnknown() {
		name := terminal.Coloured(terminal.Red, "unknown: "+terminal.Printable(u.GetName()))
		t.Add(append([]terminal.Cell{name}, checkerCells(u.GetChecker())...))
	}
	if t.Empty() {
		return nil
	}
	return o.tableBelow(t)
}

func checkerCells(c *statusv1.Checker) []terminal.Cell {
	return []terminal.Cell{
		terminal.Text(terminal.Printable(c.GetAddress())),
		terminal.Text(terminal.Printable(c.GetFrontEnd())),
		terminal.Text(perSecond(c.GetPerSecond())),
		terminal.Text(strconv.FormatUint(c.GetTotal(), 10)),
		lastCell(c),
	}
}

// lastCell shows the age of the checker's latest check, in red if it is silent.
func lastCell(c *statusv1.Checker) terminal.Cell {
	age := duration.Format(c.GetSinceLastCheck().AsDuration())
	switch {
	case c.GetSilent() && c.GetUsualPerSecond() > 0:
		return terminal.Coloured(terminal.Red, fmt.Sprintf("silent for %s, checked %s before", age, perSecond(c.GetUsualPerSecond())))
	case c.GetSilent():
		return terminal.Coloured(terminal.Red, "silent for "+age)
	case c.GetWatching() == 1:
		return terminal.Text("watching")
	case c.GetWatching() > 1:
		return terminal.Text(fmt.Sprintf("watching, %d times", c.GetWatching()))
	}
	return terminal.Text(age + " ago")
}

// perSecond writes a rate to two digits. A rate near 0, to which it falls without end,
// is 0.
func perSecond(rate float64) string {
	if rate < 0.001 {
		return "0/s"
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 2, 64), 64)
	return number(rounded) + "/s"
}
