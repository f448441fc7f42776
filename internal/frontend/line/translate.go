package line

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// check translates for people, and for checkers that look for a word.
func check(a registry.Answer) string {
	switch {
	case a.Status == judge.Serving:
		return fmt.Sprintf("UP %d%%%s", a.Weight, degradation(a))
	case draining(a):
		return "DRAIN" + comment(a)
	}
	return "DOWN" + comment(a)
}

// agent translates for HAProxy's agent-check. HAProxy keeps each part of its
// state until an answer changes it, so each answer gives all of it: a service
// that comes back is neither down nor draining and has its weight, and one that
// drains is not down. A draining service gets no weight, because HAProxy would
// log it again with every answer.
func agent(a registry.Answer) string {
	switch {
	case a.Status == judge.Serving:
		return fmt.Sprintf("up ready %d%%%s", a.Weight, degradation(a))
	case draining(a):
		return "drain up" + comment(a)
	}
	return "down" + comment(a)
}

func draining(a registry.Answer) bool {
	return a.Status == judge.NotServing && a.Cause == judge.Draining
}

func degradation(a registry.Answer) string {
	if a.Weight == 100 {
		return ""
	}
	return " # degraded"
}

// comment says why a service is not serving. HAProxy only shows what follows the
// #, and reads no words in it.
func comment(a registry.Answer) string {
	text := a.Cause.String()
	if reason := a.Reason(); reason != "" {
		text += ": " + reason
	}
	return " # " + sanitize(text)
}

// maxComment is the length of the longest comment, in bytes. A reason in the
// monitoring protocol is about as long.
const maxComment = 255

var up = regexp.MustCompile(`(?i)(u)(p)`)

// sanitize returns text, which is in part the program's, as one short line of
// ASCII without UP in either case: UPSTREAM becomes U_PSTREAM. So a
// checker that looks for UP, with or without an anchor, finds it only where the
// service is serving.
func sanitize(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return up.ReplaceAllString(ascii[:min(len(ascii), maxComment)], "${1}_${2}")
}
