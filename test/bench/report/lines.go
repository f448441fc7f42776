package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Lines is a plot of series over an axis. Both axes are logarithmic, so that ratios can be
// compared everywhere.
type Lines struct {
	Name   string // of the file
	Title  string
	X, Y   string // the labels of the axes
	Series []Series
	// Ticks are the places on the X axis that are labelled, and Labels what stands
	// there. Without them these are the powers of ten.
	Ticks  []float64
	Labels []string
}

// A Series is a line. Its points go from left to right, and their coordinates are more
// than 0.
type Series struct {
	Name   string
	Points []Point
}

// A Point is one value that was measured.
type Point struct{ X, Y float64 }

const (
	linesLeft   = 64
	linesRight  = 24
	linesTop    = 70
	linesHeight = 240
)

func (l *Lines) File() string { return l.Name }

func (l *Lines) Alt() string { return l.Title }

func (l *Lines) SVG() string {
	var names []string
	for _, s := range l.Series {
		names = append(names, s.Name)
	}
	top := float64(linesTop + legendExtra(names))
	bottom := top + linesHeight
	d := newDrawing(l.Title, int(bottom)+44)
	x, y := newScale(linesLeft, width-linesRight), newScale(bottom, top)
	for _, s := range l.Series {
		for _, p := range s.Points {
			x.include(p.X)
			y.include(p.Y)
		}
	}
	d.legend(names)
	y.widen()
	d.text("dim", linesLeft-8, top-6, "end", l.Y)
	d.text("dim", width-linesRight, bottom+36, "end", l.X)
	for _, tick := range y.ticks() {
		at := y.place(tick)
		d.rule(linesLeft, at, width-linesRight, at)
		d.text("dim", linesLeft-8, at+4, "end", Digits(tick))
	}
	ticks, labels := l.Ticks, l.Labels
	if len(ticks) == 0 {
		ticks = x.ticks()
	}
	for i, tick := range ticks {
		label := Digits(tick)
		if labels != nil {
			label = labels[i]
		}
		at := x.place(tick)
		d.rule(at, top, at, bottom)
		d.text("dim", at, bottom+18, "middle", label)
	}
	for i, s := range l.Series {
		var points strings.Builder
		for _, p := range s.Points {
			fmt.Fprintf(&points, "%.1f,%.1f ", x.place(p.X), y.place(p.Y))
		}
		fmt.Fprintf(d, `<polyline class="%s line" style="fill:none" points="%s"/>`+"\n", seriesClass(i), strings.TrimSpace(points.String()))
		for _, p := range s.Points {
			fmt.Fprintf(d, `<circle class="%s" cx="%.1f" cy="%.1f" r="3"><title>%s: %s, %s</title></circle>`+"\n",
				seriesClass(i), x.place(p.X), y.place(p.Y), html.EscapeString(s.Name), Digits(p.X), Digits(p.Y))
		}
	}
	return d.end()
}

// scale maps values to places, logarithmically.
type scale struct {
	from, to    float64 // pixels
	least, most float64 // values
}

func newScale(from, to float64) *scale { return &scale{from: from, to: to, least: math.Inf(1)} }

func (s *scale) include(v float64) {
	if v > 0 {
		s.least, s.most = min(s.least, v), max(s.most, v)
	}
}

// widen makes the scale begin and end at a power of ten, or at twice or five times one.
func (s *scale) widen() {
	least := s.least
	for _, step := range steps(s.least/10, s.most*10) {
		if step <= least {
			s.least = step
		}
		if step >= s.most {
			s.most = step
			return
		}
	}
}

func (s *scale) place(v float64) float64 {
	if s.most <= s.least {
		return (s.from + s.to) / 2
	}
	share := math.Log(v/s.least) / math.Log(s.most/s.least)
	return s.from + min(max(share, 0), 1)*(s.to-s.from)
}

// ticks returns the values that are labelled.
func (s *scale) ticks() (all []float64) {
	if s.most/s.least < 30 {
		return steps(s.least, s.most)
	}
	for _, v := range steps(s.least, s.most) {
		if exponent := math.Log10(v); math.Abs(exponent-math.Round(exponent)) < 1e-9 {
			all = append(all, v)
		}
	}
	return all
}

// steps returns 1, 2 and 5 times each power of ten between two values.
func steps(least, most float64) (all []float64) {
	if least <= 0 || math.IsInf(least, 1) {
		return nil
	}
	for exponent := math.Floor(math.Log10(least)); exponent <= math.Ceil(math.Log10(most)); exponent++ {
		for _, factor := range []float64{1, 2, 5} {
			if v := factor * math.Pow(10, exponent); v >= least*(1-1e-9) && v <= most*(1+1e-9) {
				all = append(all, v)
			}
		}
	}
	return all
}
