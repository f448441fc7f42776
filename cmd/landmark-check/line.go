package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/landmark-health/landmark/lmp"
)

// statusWords are those of grpc.health.v1, as grpc-health-probe prints them.
var statusWords = map[lmp.Status]string{
	lmp.StatusUnknown:        "UNKNOWN",
	lmp.StatusServing:        "SERVING",
	lmp.StatusNotServing:     "NOT_SERVING",
	lmp.StatusUnknownService: "SERVICE_UNKNOWN",
}

// line returns an answer, or an error, as a line for people, such as
// "epg: NOT_SERVING stalled: main loop last answered 3 s ago, allowed 1 s".
func line(service string, a lmp.Answer, err error) string {
	if service == "" {
		service = "all services"
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", service, err)
	}
	status, known := statusWords[a.Status]
	if !known {
		status = "STATUS_" + strconv.Itoa(int(a.Status))
	}
	text := fmt.Sprintf("%s: %s", service, status)
	if a.Cause != lmp.CauseNone && a.Status != lmp.StatusUnknownService { // the status says it already
		text += " " + a.Cause.String()
	}
	if a.Reason != "" {
		text += ": " + strings.Map(printable, a.Reason)
	}
	return text
}

// printable replaces characters that could command a terminal or break a log.
func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return '?'
}
