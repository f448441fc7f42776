package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// askedCell shows how many ask about a service, and how many are silent that
// used to, or else how long ago somebody asked last.
func askedCell(checkers []*statusv1.Checker) cell {
	silent, last := 0, time.Duration(math.MaxInt64)
	for _, a := range checkers {
		if a.GetSilent() {
			silent++
		}
		last = min(last, a.GetAsked().AsDuration())
	}
	switch {
	case len(checkers) == 0:
		return cell{text: "-"}
	case silent > 0:
		return cell{fmt.Sprintf("by %d, %d silent", len(checkers), silent), red}
	}
	return cell{text: fmt.Sprintf("by %d, %s ago", len(checkers), span(last))}
}

// checkersTable tells who asks about services, beneath what was told of them.
func checkersTable(o output, services []*statusv1.Service) error {
	t := heads("CHECKER", "BY", "RATE", "TOTAL", "LAST")
	for _, s := range services {
		for _, a := range s.GetCheckers() {
			t.add(checkerCells(a))
		}
	}
	if len(t.rows) == 1 {
		_, err := fmt.Fprintln(o.out, "\nNobody has asked about it in the last day.")
		return err
	}
	return t.writeBeneath(o)
}

// otherCheckersTable tells who asks about all services together, and for names
// that nobody knows, if anybody does.
func otherCheckersTable(o output, checkers *statusv1.CheckersResponse) error {
	t := heads("ASKED FOR", "CHECKER", "BY", "RATE", "TOTAL", "LAST")
	for _, a := range checkers.GetAll() {
		t.add(append([]cell{{text: "all services"}}, checkerCells(a)...))
	}
	for _, u := range checkers.GetUnknown() {
		name := cell{"unknown: " + printable(u.GetName()), red}
		t.add(append([]cell{name}, checkerCells(u.GetChecker())...))
	}
	if len(t.rows) == 1 {
		return nil
	}
	return t.writeBeneath(o)
}

func checkerCells(a *statusv1.Checker) []cell {
	return []cell{
		{text: printable(a.GetAddress())},
		{text: printable(a.GetFrontEnd())},
		{text: perSecond(a.GetPerSecond())},
		{text: strconv.FormatUint(a.GetTotal(), 10)},
		lastCell(a),
	}
}

// lastCell says how long ago the checker asked last, and red that it used to.
func lastCell(a *statusv1.Checker) cell {
	asked := span(a.GetAsked().AsDuration())
	switch {
	case a.GetSilent() && a.GetUsualPerSecond() > 0:
		return cell{fmt.Sprintf("silent for %s, asked %s before", asked, perSecond(a.GetUsualPerSecond())), red}
	case a.GetSilent():
		return cell{"silent for " + asked, red}
	case a.GetWatching() == 1:
		return cell{text: "watching"}
	case a.GetWatching() > 1:
		return cell{text: fmt.Sprintf("watching, %d times", a.GetWatching())}
	}
	return cell{text: asked + " ago"}
}

// perSecond writes a rate to two digits; one that has all but fallen to 0 is 0.
func perSecond(rate float64) string {
	if rate < 0.001 {
		return "0/s"
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(rate, 'g', 2, 64), 64)
	return number(rounded) + "/s"
}
