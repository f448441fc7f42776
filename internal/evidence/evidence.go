// Package evidence is what is kept of a process at the moment when its work begins to
// fail: what the program says of its own stacks, and what the kernel says of its
// threads. It explains a verdict to people, and never makes one.
package evidence

import (
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// MaxText is the size of the longest Text, in bytes.
	MaxText = 64 << 10
	// MaxSummary is the size of the longest Summary, in bytes.
	MaxSummary = 255
	// MaxName is the size of the longest name of a landmark, in bytes.
	MaxName = 128
	// MaxLandmarks is the number of landmarks that an Evidence names at most.
	MaxLandmarks = 16
	// MinInterval is the shortest time between two captures of one process from one
	// source.
	MinInterval = 10 * time.Second
)

// Source is who made an Evidence.
type Source uint8

// The sources.
const (
	// Kernel is what the sidecar has read of the process.
	Kernel Source = iota
	// Program is what the program's own agent has captured.
	Program
)

// String returns the name of the source.
func (s Source) String() string {
	if s == Program {
		return "program"
	}
	return "kernel"
}

// Evidence is what one source says of one process. It is immutable.
type Evidence struct {
	Source Source
	// Instance is the name of the process, and PID its number, 0 if it is not known.
	Instance string
	PID      int
	// Landmarks are the names of those that had begun to fail, MaxLandmarks at most.
	Landmarks []string
	// Summary says in one line what the process was doing, such as "main thread
	// spinning, 98 % of a core".
	Summary string
	// Text has the details in lines, each with its end: the stacks of the program's
	// goroutines, the main loop's first, or the process's threads, and what could not
	// be read. It is printable UTF-8 with tabs, and may be empty.
	Text string
}

// Bounded returns e with its texts cut to what an Evidence may have, and without
// characters that would be shown as something else. Programs send what they like.
func (e Evidence) Bounded() Evidence {
	names := e.Landmarks[:min(len(e.Landmarks), MaxLandmarks)]
	e.Landmarks = make([]string, len(names)) // else all that were sent are kept
	for i, name := range names {
		e.Landmarks[i] = cut(clean(name, ""), MaxName)
	}
	e.Summary = strings.TrimSpace(cut(clean(e.Summary, ""), MaxSummary))
	e.Text = cut(clean(e.Text, "\t\n"), MaxText)
	return e
}

// Size returns the memory that e takes, in bytes.
func (e Evidence) Size() int {
	const itself = 128
	n := itself + len(e.Instance) + len(e.Summary) + len(e.Text)
	for _, l := range e.Landmarks {
		n += len(l) + 16
	}
	return n
}

// clean replaces what is not printable, except for the characters of keep.
func clean(s, keep string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(keep, r):
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// cut returns the first n bytes of s at most, and no part of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n]) // else all of s is kept
}
