package report

import (
	"fmt"
	"html"
	"strings"
)

// A Plot is a drawing of what was measured.
type Plot interface {
	File() string // the name of its file, without its ending
	Alt() string  // what it shows, in words
	SVG() string
}

// The measures of all plots, in pixels.
const (
	width     = 760
	titleLine = 24
	margin    = 14
)

// style has the colours for light and dark screens. The colours of the series differ in
// lightness too.
const style = `
svg { font: 12px system-ui, sans-serif; background: #fff; fill: #222 }
.title { font-size: 14px; font-weight: 600 }
.dim { fill: #666 }
.grid { stroke: #ddd }
.s0 { fill: #1f6fb4; stroke: #1f6fb4 } .s1 { fill: #e08a1e; stroke: #e08a1e }
.s2 { fill: #7a7f87; stroke: #7a7f87 } .s3 { fill: #2e9e5b; stroke: #2e9e5b }
.s4 { fill: #9a5fb4; stroke: #9a5fb4 }
.line { stroke-width: 2 }
@media (prefers-color-scheme: dark) {
svg { background: #16181c; fill: #ddd }
.dim { fill: #999 }
.grid { stroke: #333 }
.s0 { fill: #5aa9e6; stroke: #5aa9e6 } .s1 { fill: #f0a64a; stroke: #f0a64a }
}
`

// drawing is an SVG that is being written.
type drawing struct{ strings.Builder }

func newDrawing(title string, height int) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n<title>%[3]s</title>\n<style>%s</style>\n",
		width, height, html.EscapeString(title), style)
	d.text("title", margin, titleLine, "start", title)
	return d
}

func (d *drawing) text(class string, x, y float64, anchor, text string) {
	fmt.Fprintf(d, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(text))
}

func (d *drawing) rule(x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", x1, y1, x2, y2)
}

func (d *drawing) bar(class string, x, y, width, height float64) {
	fmt.Fprintf(d, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x, y, max(width, 1), height)
}

// The legend of a drawing is below its title.
const (
	legendTop  = titleLine + 22
	legendLine = 17
)

// legend names the series, in as many lines as that takes.
func (d *drawing) legend(names []string) {
	for i, at := range legendPlaces(names) {
		y := float64(legendTop + legendLine*at.line)
		d.bar(seriesClass(i), at.x, y-9, 10, 10)
		d.text("", at.x+15, y, "start", names[i])
	}
}

// legendPlace is where a series is named.
type legendPlace struct {
	x    float64
	line int
}

func legendPlaces(names []string) (all []legendPlace) {
	x, line := float64(margin), 0
	for _, name := range names {
		long := 35 + 6.6*float64(len([]rune(name)))
		if x > margin && x+long > width {
			x, line = margin, line+1
		}
		all = append(all, legendPlace{x, line})
		x += long
	}
	return all
}

// legendExtra returns how much higher than one line a legend is.
func legendExtra(names []string) int {
	if len(names) == 0 {
		return 0
	}
	places := legendPlaces(names)
	return legendLine * places[len(places)-1].line
}

func (d *drawing) end() string {
	d.WriteString("</svg>\n")
	return d.String()
}

func seriesClass(i int) string { return fmt.Sprintf("s%d", i%5) }
