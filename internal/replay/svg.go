package replay

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"time"
	"unicode/utf8"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/judge"
)

// The measures of the timeline, in pixels.
const (
	svgWidth   = 1200
	svgLeft    = 190 // of the bands
	svgRight   = 20
	svgTop     = 64
	svgService = 74 // the height of a service
	svgBand    = 16
	svgHang    = 6
	svgLeast   = 0.75 // the width of the shortest span, so that it can be seen
	maxName    = 24   // characters of a name
)

// style has the colours, for light and dark screens.
const style = `
svg { font: 12px system-ui, sans-serif; background: #fff; fill: #222 }
.name { font-weight: 600 }
.dim { fill: #666 }
.none { fill: #eee }
.line { stroke: #ccc }
.serving { fill: #2e9e5b }
.stalled, .stale { fill: #d1373f }
.failed { fill: #e07b1a }
.lost, .stopped { fill: #8a1f4d }
.draining { fill: #3a77c9 }
.starting, .unreported, .unknown { fill: #999 }
.recovering { fill: #e3c01f }
.hang { fill: #000 }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; fill: #ddd }
.dim { fill: #999 }
.none { fill: #2a2d33 }
.line { stroke: #444 }
.hang { fill: #fff }
}
`

// WriteSVG writes a timeline of each service, with what was recorded above what the other
// policy would have said.
func (r *Report) WriteSVG(w io.Writer) error {
	b := bufio.NewWriter(w)
	height := svgTop + svgService*len(r.Services) + 20
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`, svgWidth, height)
	fmt.Fprintf(b, "\n<title>What landmarkd said, and what another policy would have said, from %s to %s</title>\n<style>%s</style>\n",
		timeOfDay(r.From), timeOfDay(r.To), style)
	r.writeLegend(b)
	r.writeAxis(b, height)
	for i, s := range r.Services {
		r.writeService(b, s, svgTop+svgService*i)
	}
	fmt.Fprintln(b, "</svg>")
	return b.Flush()
}

// x returns where the time is.
func (r *Report) x(t time.Time) float64 {
	all := r.To.Sub(r.From)
	if all <= 0 {
		return svgLeft
	}
	share := float64(t.Sub(r.From)) / float64(all)
	return svgLeft + min(max(share, 0), 1)*(svgWidth-svgLeft-svgRight)
}

func timeOfDay(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func (r *Report) writeLegend(b *bufio.Writer) {
	x := svgLeft
	for _, c := range []struct{ class, text string }{
		{"serving", "serving"}, {"stalled", "stalled, stale"}, {"failed", "failed"}, {"lost", "lost, stopped"},
		{"draining", "draining"}, {"recovering", "recovering"}, {"starting", "starting, unreported"}, {"none", "not recorded"}, {"hang", "a program hangs"},
	} {
		fmt.Fprintf(b, `<rect class="%s" x="%d" y="8" width="10" height="10"/><text x="%d" y="17">%s</text>`+"\n", c.class, x, x+14, c.text)
		x += 30 + 7*len(c.text)
	}
}

// writeAxis writes the time of day at some points.
func (r *Report) writeAxis(b *bufio.Writer, height int) {
	const parts = 4
	for i := range parts + 1 {
		t := r.From.Add(r.To.Sub(r.From) / parts * time.Duration(i))
		anchor := "middle"
		if i == 0 {
			anchor = "start"
		} else if i == parts {
			anchor = "end"
		}
		layout := "15:04:05"
		if i == 0 || r.To.Sub(r.From) > 24*time.Hour {
			layout = "2006-01-02 15:04:05"
		}
		if i == 0 {
			layout += " UTC"
		}
		fmt.Fprintf(b, `<text class="dim" x="%.1f" y="44" text-anchor="%s">%s</text><line class="line" x1="%.1f" x2="%[1]f" y1="50" y2="%[5]d"/>`+"\n",
			r.x(t), anchor, t.UTC().Format(layout), r.x(t), height-14)
	}
}

func (r *Report) writeService(b *bufio.Writer, s *ServiceResult, y int) {
	fmt.Fprintf(b, "<g><title>%s</title>\n", html.EscapeString(s.Name))
	fmt.Fprintf(b, `<text class="name" x="8" y="%d">%s</text>`+"\n", y+12, html.EscapeString(short(s.Name)))
	for i, label := range []string{"recorded", "new"} {
		fmt.Fprintf(b, `<text class="dim" x="%d" y="%d" text-anchor="end">%s</text>`+"\n", svgLeft-8, y+12+20*i, label)
	}
	r.writeBand(b, &s.Recorded, y, "recorded")
	r.writeBand(b, &s.New, y+20, "new")
	for _, h := range s.Hangs {
		r.writeRect(b, "hang", h.From, h.To, y+42, svgHang, "a program hung for "+duration.Format(h.To.Sub(h.From))+", since "+timeOfDay(h.From))
	}
	fmt.Fprintln(b, "</g>")
}

func (r *Report) writeBand(b *bufio.Writer, o *Outcome, y int, what string) {
	fmt.Fprintf(b, `<rect class="none" x="%d" y="%d" width="%d" height="%d"/>`+"\n", svgLeft, y, svgWidth-svgLeft-svgRight, svgBand)
	for _, s := range o.Spans {
		text := fmt.Sprintf("%s: %s", what, s.Status)
		if s.Cause != judge.None {
			text += ", " + s.Cause.String()
		}
		r.writeRect(b, classOf(s), s.From, s.To, y, svgBand, fmt.Sprintf("%s, for %s, since %s", text, duration.Format(s.To.Sub(s.From)), timeOfDay(s.From)))
	}
}

// writeRect writes a part of a band, with a text that is shown where one points at it.
func (r *Report) writeRect(b *bufio.Writer, class string, from, to time.Time, y, height int, text string) {
	x := r.x(from)
	fmt.Fprintf(b, `<rect class="%s" x="%.2f" y="%d" width="%.2f" height="%d"><title>%s</title></rect>`+"\n",
		class, x, y, max(r.x(to)-x, svgLeast), height, html.EscapeString(text))
}

// classOf returns the class of a span: its cause, which is one word except for that of an
// unknown service.
func classOf(s Span) string {
	switch {
	case s.Status == judge.Serving:
		return "serving"
	case s.Cause == judge.UnknownName || s.Cause == judge.None:
		return "unknown"
	default:
		return s.Cause.String()
	}
}

// short shortens a name to what has room.
func short(name string) string {
	if utf8.RuneCountInString(name) <= maxName {
		return name
	}
	return string([]rune(name)[:maxName-1]) + "…"
}
