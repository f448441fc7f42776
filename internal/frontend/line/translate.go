package line

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// check tells people, and checkers that look for a word.
func check(a registry.Answer) string {
	switch {
	case a.Status == judge.Serving:
		return fmt.Sprintf("UP %d%%%s", a.Weight, degradation(a))
	case draining(a):
		return "DRAIN" + comment(a)
	}
	return "DOWN" + comment(a)
}

// agent tells HAProxy's agent-check. HAProxy keeps what it was told until it is
// told otherwise, so that each answer has to say all of it: a server that comes
// back is neither down nor draining any more and has its weight, and one that
// drains is not down. To give a weight to one that drains would have HAProxy log
// it anew each time.
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

// comment says why a service is not serving, behind the # after which HAProxy
// looks for no words and only shows what there is.
func comment(a registry.Answer) string {
	text := a.Cause.String()
	if reason := a.Reason(); reason != "" {
		text += ": " + reason
	}
	return " # " + harmless(text)
}

// maxComment is about as much as the monitoring protocol tells.
const maxComment = 255

var up = regexp.MustCompile(`(?i)(u)(p)`)

// harmless makes one short line of ASCII of a text that is in part the
// program's, and in which no pattern that looks for UP, anchored or not, and in
// either case, can find it: UPSTREAM becomes U_PSTREAM.
func harmless(text string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return up.ReplaceAllString(ascii[:min(len(ascii), maxComment)], "${1}_${2}")
}
