package agent

import (
	"fmt"
	"path"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

const (
	// maxCapture is the size of the longest text of a capture, in bytes.
	maxCapture = 64 << 10
	// maxGoroutines is with how many goroutines stacks are still captured: some
	// hundred bytes for each are needed at the same time.
	maxGoroutines = 100_000
	// ownPackages are the agent's own packages.
	ownPackages = "github.com/landmark-health/landmark/agent"
)

// A capture is the stacks of the program's goroutines when landmarks began to fail.
//
// They come from the goroutine profile of runtime/pprof, because that stops the program
// for a few microseconds only, and reads the stacks while it runs. runtime.Stack stops
// it until all are printed: some 10 ms for each thousand goroutines.
type capture struct {
	at        time.Time
	landmarks []string  // that fail
	site      []uintptr // the call stack of the first, see collector.Landmark

	summary string // valid UTF-8, as text
	text    string
}

// make captures the stacks. It takes some 10 ms for each thousand goroutines, of its own
// goroutine only.
func (c *capture) make() {
	if n := runtime.NumGoroutine(); n > maxGoroutines {
		c.summary = fmt.Sprintf("no stacks were captured: of %d goroutines, %d at most can be", n, maxGoroutines)
		return
	}
	var p profile
	if err := pprof.Lookup("goroutine").WriteTo(&p, 1); err != nil {
		c.summary = "no stacks were captured: " + err.Error()
		return
	}
	c.describe(&p)
}

// describe sets the summary and the text to those of the profile.
func (c *capture) describe(p *profile) {
	site := siteOf(c.site)
	best := p.order(site)
	name := fmt.Sprintf("%q", c.landmarks[0])
	switch {
	case len(site) == 0:
		c.summary = name + " was never reached, so it is not known which goroutine should reach it"
	case best.goroutines == 0:
		c.summary = fmt.Sprintf("the goroutine that reaches %s has ended: none of %d has its functions", name, p.total)
	case best.groups > 1 && !best.certain:
		c.summary = fmt.Sprintf("which goroutine reaches %s is not known: it may be one of the first %d", name, best.goroutines)
	default:
		c.summary = name + " " + p.groups[0].where()
		if best.goroutines > 1 {
			c.summary += fmt.Sprintf(", or one of %d other goroutines that reach it", best.goroutines-1)
		}
		if !best.certain {
			c.summary += " (most likely)"
		}
	}
	var b strings.Builder
	shown := 0
	for i, g := range p.groups {
		title := ""
		if i < best.groups {
			title = name
		}
		block := g.block(title)
		if b.Len()+len(block) > maxCapture-100 { // space for the last line
			break
		}
		b.WriteString(block)
		shown += g.count
	}
	if left := p.total - shown; left > 0 {
		fmt.Fprintf(&b, "%d more goroutines are left out\n", left)
	}
	// The names of files may have any bytes.
	c.summary, c.text = strings.ToValidUTF8(c.summary, "?"), strings.ToValidUTF8(b.String(), "?")
}

// where says where the group's goroutines are.
func (g *group) where() string {
	f, frames := g.blocked(), g.frames()
	if f < 0 {
		return "is " + g.doing()
	}
	frame := frames[f]
	return fmt.Sprintf("is in %s (%s:%d), %s", frame.Function, path.Base(frame.File), frame.Line, g.doing())
}

// block shows the group: what its goroutines do, and their stack. title names the
// landmark that they reach, "" if they reach none.
func (g *group) block(title string) string {
	var b strings.Builder
	if title != "" {
		title = " of " + title
	}
	if g.count == 1 {
		fmt.Fprintf(&b, "goroutine%s: %s%s\n", title, g.doing(), g.labels)
	} else {
		fmt.Fprintf(&b, "%d goroutines%s: %s%s\n", g.count, title, g.doing(), g.labels)
	}
	for _, f := range g.frames() {
		fmt.Fprintf(&b, "\t%s\n\t\t%s:%d\n", f.Function, f.File, f.Line)
	}
	b.WriteByte('\n')
	return b.String()
}
