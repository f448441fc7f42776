package main

import (
	"fmt"
	"strconv"

	"github.com/landmark-health/landmark/lmp"
)

// statusWords are grpc.health.v1's, as grpc-health-probe prints them.
var statusWords = map[lmp.Status]string{
	lmp.StatusUnknown:        "UNKNOWN",
	lmp.StatusServing:        "SERVING",
	lmp.StatusNotServing:     "NOT_SERVING",
	lmp.StatusUnknownService: "SERVICE_UNKNOWN",
}

// line tells an answer, or why there is none, to a person: as
// "epg: NOT_SERVING stalled".
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
	if a.Cause == lmp.CauseNone || a.Status == lmp.StatusUnknownService {
		return fmt.Sprintf("%s: %s", service, status)
	}
	return fmt.Sprintf("%s: %s %v", service, status, a.Cause)
}
