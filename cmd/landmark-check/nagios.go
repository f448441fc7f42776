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

// nagiosCode returns the exit codes of a Nagios plugin. A degraded or draining server is
// a warning, because it needs no action at once. No answer is critical. UNKNOWN is for
// mistakes in the plugin's own arguments, as the guidelines say, and the name of the
// service is one.
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

// nagiosLine returns an answer as Nagios shows it. The numbers behind the | are what it
// draws.
func nagiosLine(service string, a lmp.Answer, err error) string {
	text := line(service, a, err)
	if err == nil && a.Status == lmp.StatusServing && a.Weight < 100 {
		text += degradation(a)
	}
	text = nagiosText(nagiosCode(a, err), text)
	if err != nil || a.Status == lmp.StatusUnknownService {
		return text
	}
	return fmt.Sprintf("%s|weight=%d%%;;;0;100 age=%ss;;;0 failing=%d;;;0 stood=%ss;;;0",
		text, a.Weight, seconds(a.Age), a.Failing, seconds(a.StatusAge))
}

// nagiosText returns the text of a plugin that exits with the code. It replaces |, which
// would begin the numbers.
func nagiosText(code int, text string) string {
	return "LANDMARK " + nagiosWords[code] + " - " + strings.ReplaceAll(text, "|", "?")
}

// maxNames is how many landmarks a line names.
const maxNames = 3

// degradation returns the weight of a degraded server, and the landmarks that lower it.
func degradation(a lmp.Answer) string {
	var names []string
	for _, l := range a.Landmarks {
		if l.State == lmp.StateDegraded || l.State == lmp.StateFailing {
			names = append(names, strings.Map(printable, l.Name))
		}
	}
	text := fmt.Sprintf(" degraded to %d%%", a.Weight)
	if more := len(names) - maxNames; more > 0 {
		names = append(names[:maxNames], fmt.Sprintf("%d more", more))
	}
	if len(names) > 0 {
		text += " by " + strings.Join(names, ", ")
	}
	return text
}

// seconds writes a duration in Nagios's format.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
