package web

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// question is what a health check asks.
type question struct {
	name          []byte        // as all front ends take it
	maxAge        time.Duration // 0 = the service's own
	drainingIs404 bool          // answer 404 while the service drains
}

// healthz is no aspect: the service's name says which, and readiness if it does not.
const healthz = -1

// healthPaths are the paths of health checks, and the aspect that each asks about.
var healthPaths = map[string]int{
	"/readyz":   int(judge.Readiness),
	"/livez":    int(judge.Liveness),
	"/startupz": int(judge.Startup),
	"/healthz":  healthz,
}

// parse parses the query of a health check. A wrong one is an error, because a checker
// whose parameters were ignored would seem to work. The error says what to write.
func parse(aspect int, query string) (question, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return question{}, errors.New("the query is no valid list of NAME=VALUE, separated by &")
	}
	for key, of := range values {
		switch {
		case key != "service" && key != "max_age" && key != "drain":
			return question{}, fmt.Errorf("there is no parameter %.40q: use service, max_age or drain", key)
		case len(of) > 1:
			return question{}, fmt.Errorf("%s is there %d times: give it once", key, len(of))
		}
	}
	q := question{name: aspectName(aspect, values.Get("service"))}
	if values.Has("max_age") {
		if q.maxAge, err = time.ParseDuration(values.Get("max_age")); err != nil || q.maxAge < 0 {
			return question{}, fmt.Errorf("max_age is %.40q: write it as 250ms or 1.5s; 0 = as the service is configured", values.Get("max_age"))
		}
	}
	if values.Has("drain") {
		if values.Get("drain") != "404" {
			return question{}, fmt.Errorf("drain is %.40q: write drain=404, or leave it out to get 503 while the service drains", values.Get("drain"))
		}
		q.drainingIs404 = true
	}
	return q, nil
}

// parsePage parses the query of a health check at a path of the page, which names a service
// unless it is "/".
func parsePage(service, query string) (question, error) {
	q, err := parse(healthz, query)
	if err != nil || service == "" {
		return q, err
	}
	if len(q.name) > 0 {
		return question{}, errors.New("the path names a service already: leave service= out")
	}
	q.name = []byte(service)
	return q, nil
}

// aspectName returns the name by which the source knows an aspect of a service, or of
// all services.
func aspectName(aspect int, service string) []byte {
	switch {
	case aspect == healthz:
		return []byte(service)
	case service == "":
		return []byte(judge.Aspect(aspect).String())
	}
	return []byte(service + "-" + judge.Aspect(aspect).String())
}
