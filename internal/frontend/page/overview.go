package page

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// class is what a verdict is to a person who looks for what is wrong. The numbers are
// those of the style sheet.
type class int

// The classes.
const (
	serving  class = 1 // with its full weight
	reduced  class = 2 // serving, with less
	intended class = 3 // out for a cause that is not a fault
	out      class = 4
)

func classOf(status judge.Status, cause judge.Cause, weight uint8) class {
	switch {
	case status == judge.Serving && weight == 100:
		return serving
	case status == judge.Serving:
		return reduced
	case describe.Intended(statusv1.Cause(cause)):
		return intended
	}
	return out
}

// row is what is shown of each service. It changes only if what it says does: times are
// by the page's clock, and no ages.
type row struct {
	Name      string `json:"name"`
	Class     class  `json:"class"`
	Status    string `json:"status"`
	Cause     string `json:"cause,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Weight    uint8  `json:"weight"`
	Since     int64  `json:"since"`
	Alive     bool   `json:"alive"`
	Ready     int    `json:"ready"`     // instances
	Instances int    `json:"instances"` // that count
	Failing   uint8  `json:"failing"`   // landmarks
	Checkers  int    `json:"checkers"`
	Silent    int    `json:"silent"` // checkers
}

// known is a service that was shown.
type known struct {
	row  row
	key  verdicts
	text []byte // row in JSON
	past band
	bars string
	seen int // the number of the last scan that found it
}

// verdicts is what must differ for a service to be looked at again at once.
type verdicts struct {
	answers [judge.Aspects]struct {
		status  judge.Status
		cause   judge.Cause
		weight  uint8
		changes uint32
	}
	failing uint8
	drained bool
}

func verdictsOf(p *registry.ServiceStatus) verdicts {
	v := verdicts{failing: p.Answers[judge.Readiness].Failing, drained: p.Drained}
	for i := range p.Answers {
		a, b := &p.Answers[i], &v.answers[i]
		b.status, b.cause, b.weight, b.changes = a.Status, a.Cause, a.Weight, a.Changes
	}
	return v
}

// overview is what was sent of all services.
type overview struct {
	*Server
	services map[string]*known
	names    []string // of the last scan, sorted
	scans    int
	left     bool   // the last scan left some services out,
	leftAll  bool   // was to look at all,
	next     string // and the next one begins here
}

// newOverview returns the present state.
func newOverview(s *Server) overview {
	o := overview{Server: s, services: make(map[string]*known)}
	for o.changes(true); o.left; {
		o.changes(true)
	}
	o.bars()
	return o
}

// maxChanges is about how many bytes an event with changes has at most.
const maxChanges = 512 << 10

// changes looks at all services and returns the event with those that changed, nil if
// none did. With all it looks at what changes no verdict, too. If so many have changed that
// they do not fit into an event, it sets left, and the next one begins with the others.
func (o *overview) changes(all bool) []byte {
	var e rowsEvent
	checkers := statusmsg.NewCheckers(o.config.Source, o.config.Checkers)
	o.scans++
	o.names = o.config.Source.Names()
	all = all || o.leftAll
	first, _ := slices.BinarySearch(o.names, o.next)
	o.left, o.leftAll, o.next = false, false, ""
	for i := range o.names {
		name := o.names[(first+i)%len(o.names)]
		if k := o.services[name]; o.left && k != nil {
			k.seen = o.scans
		}
		if o.left {
			continue
		}
		if len(e.rows)+len(e.bands) >= maxChanges {
			o.left, o.leftAll, o.next = true, all, name
			if k := o.services[name]; k != nil {
				k.seen = o.scans
			}
			continue
		}
		p, ok := o.config.Source.Status(name)
		if !ok {
			continue
		}
		k := o.services[name]
		if k == nil {
			k = new(known)
			o.services[name] = k
		}
		k.seen = o.scans
		key := verdictsOf(&p)
		if key == k.key && !all {
			continue
		}
		if key != k.key {
			e.addBand(name, k.past.update(o.Server, name))
		}
		k.key = key
		if r := o.compose(&p, checkers, k.row.Since); r != k.row {
			k.row = r
			k.text, _ = json.Marshal(r)
			e.addRow(k.text)
		}
	}
	for name, k := range o.services {
		if k.seen != o.scans {
			delete(o.services, name)
			e.gone = append(e.gone, name)
		}
	}
	return e.bytes(o.Server, "changes")
}

// recalled returns the event with the services of which more has become known that earlier
// sidecars have seen, nil if there are none.
func (o *overview) recalled() []byte {
	var e rowsEvent
	for name, k := range o.services {
		if len(e.rows)+len(e.bands) >= maxChanges {
			break // the others come later
		}
		if len(k.past) > 0 && k.past[0].earlier || k.text == nil {
			continue
		}
		if earlier := o.earlierBand(name); len(earlier) > 0 {
			k.past = append(earlier, k.past...)
			e.addRow(k.text)
			e.addBand(name, k.past)
			e.addBars(name, k.bars)
		}
	}
	if len(e.rows) == 0 {
		return nil
	}
	return e.bytes(o.Server, "services")
}

// pieceSize is about how many bytes of services an event has.
const pieceSize = 64 << 10

// some returns the event with the services that follow the name, as many as fit, and the
// last of them; "" if no more follow.
func (o *overview) some(after string) (text []byte, last string) {
	e := rowsEvent{first: after == ""}
	i, found := slices.BinarySearch(o.names, after)
	if found {
		i++
	}
	for ; i < len(o.names) && len(e.rows)+len(e.bands) < pieceSize; i++ {
		if k := o.services[o.names[i]]; k != nil && k.text != nil {
			e.addRow(k.text)
			e.addBand(o.names[i], k.past)
			e.addBars(o.names[i], k.bars)
		}
	}
	if i < len(o.names) {
		last = o.names[i-1]
	}
	e.last = last == ""
	return e.bytes(o.Server, "services"), last
}

// compose returns the row of a service. since is that of its last row.
func (o *overview) compose(p *registry.ServiceStatus, checkers *statusmsg.Checkers, since int64) row {
	a := p.Answers[judge.Readiness]
	m := statusmsg.Service(*p, false)
	checkers.AddTo(m)
	r := row{
		Name: p.Name, Class: classOf(a.Status, a.Cause, a.Weight), Status: a.Status.String(),
		Cause: describe.Cause(m.Readiness.Verdict), Reason: describe.ServiceReason(m),
		Weight: a.Weight, Since: o.instant(a.StatusAge, since), Alive: p.Answers[judge.Liveness].Status == judge.Serving,
		Failing: a.Failing, Checkers: len(m.Checkers) + len(m.BfdSessions),
	}
	for _, in := range a.Instances() {
		if !in.Counts {
			continue
		}
		r.Instances++
		if in.Cause == judge.None {
			r.Ready++
		}
	}
	for _, c := range m.Checkers {
		if c.Silent {
			r.Silent++
		}
	}
	for _, b := range m.BfdSessions {
		if b.Silent {
			r.Silent++
		}
	}
	return r
}

// instant returns when something of that age happened. That is before, if it can only
// be another reading of the same.
func (s *Server) instant(age time.Duration, before int64) int64 {
	const reading = 20 // ms
	at := s.sinceBegun() - age.Milliseconds()
	if d := at - before; -reading < d && d < reading {
		return before
	}
	return at
}

// rowsEvent is an event with rows, and with the bands of some of them.
type rowsEvent struct {
	rows, bands []byte
	bars        map[string]string
	gone        []string
	first, last bool // of the events with all services
}

func (e *rowsEvent) addRow(text []byte) {
	if len(e.rows) > 0 {
		e.rows = append(e.rows, ',')
	}
	e.rows = append(e.rows, text...)
}

func (e *rowsEvent) addBand(name string, b band) {
	if len(b) == 0 {
		return
	}
	if len(e.bands) > 0 {
		e.bands = append(e.bands, ',')
	}
	e.bands = append(e.bands, '"')
	e.bands = append(e.bands, name...) // which needs no escapes
	e.bands = append(e.bands, '"', ':')
	e.bands = b.append(e.bands)
}

func (e *rowsEvent) addBars(name, bars string) {
	if e.bars == nil {
		e.bars = make(map[string]string)
	}
	e.bars[name] = bars
}

// bytes returns the event. It is nil if the event is about changes and there are none.
func (e *rowsEvent) bytes(s *Server, name string) []byte {
	if name == "changes" && len(e.rows)+len(e.bands)+len(e.gone) == 0 {
		return nil
	}
	return s.event(name, struct {
		timeJSON
		Rows  raw               `json:"rows"`
		Bands raw               `json:"bands"`
		Bars  map[string]string `json:"bars,omitempty"`
		Gone  []string          `json:"gone,omitempty"`
		First bool              `json:"first,omitempty"`
		Last  bool              `json:"last,omitempty"`
	}{s.time(), raw{'[', e.rows, ']'}, raw{'{', e.bands, '}'}, e.bars, e.gone, e.first, e.last})
}

// raw is JSON that is written already, without its brackets.
type raw struct {
	open  byte
	text  []byte
	close byte
}

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) {
	return append(append([]byte{r.open}, r.text...), r.close), nil
}

// otherCheckerJSON is a checker or a BFD session that does not check one known service.
type otherCheckerJSON struct {
	Name    string `json:"name"` // "" = all services together
	Unknown bool   `json:"unknown,omitempty"`
	Address string `json:"address"`
	By      string `json:"by"`
	Rate    string `json:"rate"`
	Last    string `json:"last"`
	Silent  bool   `json:"silent,omitempty"`
}

func (o *overview) otherCheckers() []otherCheckerJSON {
	var all []otherCheckerJSON
	add := func(name string, unknown bool, c *statusv1.Checker) {
		all = append(all, otherCheckerJSON{
			terminal.Printable(name), unknown, terminal.Printable(c.Address), c.FrontEnd, describe.PerSecond(c.PerSecond), describe.LastCheck(c), c.Silent,
		})
	}
	others := statusmsg.NewCheckers(o.config.Source, o.config.Checkers).Others()
	for _, u := range others.Unknown {
		add(u.Name, true, u.Checker)
	}
	for _, c := range others.All {
		add("", false, c)
	}
	return all
}
