package main

import (
	"fmt"
	"os"
	"time"
)

// counter counts what an attacker does, and writes it to standard error once a second.
type counter struct {
	what    string
	begun   time.Time
	n       int
	written time.Time
}

func newCounter(what string) *counter {
	now := time.Now()
	return &counter{what: what, begun: now, written: now}
}

func (c *counter) add(n int) { c.n += n }

// pace writes the count if it is time, and waits while the count is ahead of the rate
// a second.
func (c *counter) pace(rate int) {
	for {
		now := time.Now()
		if now.Sub(c.written) >= time.Second {
			c.written = now
			fmt.Fprintln(os.Stderr, "sent", c.n, now.Sub(c.begun).Nanoseconds(), c.what)
		}
		if ahead := time.Duration(c.n)*time.Second/time.Duration(rate) - now.Sub(c.begun); ahead <= 0 {
			return
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// noteRate notes what the attacker has counted.
func (s *scene) noteRate(what string, attackers ...*process) {
	total := 0.0
	for _, p := range attackers {
		lines, _ := p.written()
		rate := 0.0
		for _, line := range lines {
			var n, nanoseconds int
			if found, _ := fmt.Sscanf(line, "sent %d %d", &n, &nanoseconds); found == 2 {
				rate = float64(n) / (float64(nanoseconds) / 1e9)
			}
		}
		total += rate
	}
	s.note("%s: %.0f a second", what, total)
}

// note keeps a measurement, which is printed with the result.
func (s *scene) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}
