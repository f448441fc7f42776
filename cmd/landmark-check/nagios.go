package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// The exit codes of a Nagios plugin
// (https://nagios-plugins.org/doc/guidelines.html).
const (
	nagiosOK = iota
	nagiosWarning
	nagiosCritical
	nagiosUnknown
)

var nagiosWords = [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// nagiosCode exits as a Nagios plugin. A warning is what need not wake anybody: a
// server that takes less than its share, or one that was taken out on purpose. That
// nothing answers is critical, for the guidelines keep UNKNOWN to what is wrong with
// the plugin's own call: there it is the name of the service.
func nagiosCode(a lmp.Answer, err error) int {
	switch {
	case err != nil:
		return nagiosCritical
	case a.Status == lmp.StatusServing && a.Weight < 100:
		return nagiosWarning
	case a.Status == lmp.StatusServing:
		return nagiosOK
	case a.Status == lmp.StatusUnknownService:
		return nagiosUnknown
	case a.Status == lmp.StatusNotServing && a.Cause == lmp.CauseDraining:
		return nagiosWarning
	}
	return nagiosCritical
}

// nagiosLine tells an answer as Nagios shows it, with the numbers behind a | that it
// draws.
func nagiosLine(service string, a lmp.Answer, err error) string {
	told := line(service, a, err)
	if err == nil && a.Status == lmp.StatusServing && a.Weight < 100 {
		told += degradation(a)
	}
	told = nagiosText(nagiosCode(a, err), told)
	if err != nil || a.Status == lmp.StatusUnknownService {
		return told
	}
	return fmt.Sprintf("%s|weight=%d%%;;;0;100 age=%ss;;;0 failing=%d;;;0 stood=%ss;;;0",
		told, a.Weight, seconds(a.Age), a.Failing, seconds(a.StatusAge))
}

// nagiosText is the line of text of a plugin that exits with the code. A | in it would
// begin the numbers.
func nagiosText(code int, text string) string {
	return "LANDMARK " + nagiosWords[code] + " - " + strings.ReplaceAll(text, "|", "?")
}

// degradation says to how much a serving server is degraded, and by which landmarks.
func degradation(a lmp.Answer) string {
	var names []string
	for _, l := range a.Landmarks {
		if l.State == lmp.StateDegraded || l.State == lmp.StateFailing {
			names = append(names, strings.Map(shown, l.Name))
		}
	}
	told := fmt.Sprintf(" degraded to %d%%", a.Weight)
	if more := len(names) - namesShown; more > 0 {
		names = append(names[:namesShown], fmt.Sprintf("%d more", more))
	}
	if len(names) > 0 {
		told += " by " + strings.Join(names, ", ")
	}
	return told
}

// namesShown is how many landmarks a line names.
const namesShown = 3

// seconds writes a time as Nagios reads numbers.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
