package report

// Bars is a plot of groups of bars: in each, the same series are compared.
type Bars struct {
	Name   string // of the file
	Title  string
	Unit   string
	Series []string
	Groups []Group
}

// A Group has a value of each series. A value of 0 was not measured.
type Group struct {
	Name   string
	Values []float64
}

const (
	barHeight = 15
	groupGap  = 12
	barsLeft  = 220
	barsRight = 90 // for the number at the longest bar
	barsTop   = 62
)

func (b *Bars) File() string { return b.Name }

func (b *Bars) Alt() string { return b.Title + ", " + b.Unit }

func (b *Bars) SVG() string {
	top := barsTop + legendExtra(b.Series)
	height, most := top, 0.0
	for _, g := range b.Groups {
		height += barHeight*len(g.Values) + groupGap
		for _, v := range g.Values {
			most = max(most, v)
		}
	}
	d := newDrawing(b.Alt(), height+margin)
	d.legend(b.Series)
	y := float64(top)
	for _, g := range b.Groups {
		d.text("", barsLeft-8, y+float64(barHeight*len(g.Values))/2+4, "end", g.Name)
		for i, v := range g.Values {
			if v > 0 {
				long := (width - barsLeft - barsRight) * v / most
				d.bar(seriesClass(i), barsLeft, y+1, long, barHeight-2)
				d.text("dim", barsLeft+long+6, y+12, "start", Digits(v))
			}
			y += barHeight
		}
		y += groupGap
	}
	return d.end()
}
