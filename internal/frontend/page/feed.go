package page

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/rate"
)

// The feed composes what the open pages show.
//
//   - All pages get the same bytes, so that an event costs a page no more than a write.
//   - It looks again at most every tick, however often services change.
//   - It never waits for a page: a page that does not take its events is cut off. What a
//     page gets alone, the state of all services when it is opened, it gets in pieces, the
//     next once it has taken the one before. So slow pages keep little memory.
//   - It rests after its work, so that pages use little time, whatever they ask for.
//   - Without an open page it does nothing.
const (
	// tick is the shortest time between two events about the same.
	tick = 250 * time.Millisecond
	// detailTicks is how often what changes with each report is sent of a service that
	// a page shows whole, slowTicks how often of all services, and plotTicks how often
	// the last hour is.
	detailTicks = 2
	slowTicks   = 8
	plotTicks   = 40
)

// feed belongs to the goroutine that runs it.
type feed struct {
	*Server
	streams  map[*stream]struct{}
	overview overview
	details  map[string]*detail // of the services that pages show whole
	joined   int                // streams so far
	ticks    int
	rest     *time.Timer // runs while the feed rests
	resting  bool
}

func newFeed(s *Server) *feed {
	f := &feed{Server: s, streams: make(map[*stream]struct{}), details: make(map[string]*detail), rest: time.NewTimer(0)}
	f.rest.Stop()
	return f
}

func (f *feed) run(ctx context.Context) {
	changed := f.config.Source.Subscribe(nil)
	defer changed.Close()
	ticker := time.NewTicker(tick)
	ticker.Stop()
	defer ticker.Stop()
	defer f.rest.Stop()
	due := false
	for {
		var joins, pulls chan *stream
		if !f.resting {
			joins, pulls = f.joins, f.pulls
		}
		select {
		case <-ctx.Done():
			return
		case st := <-joins:
			if len(f.streams) == 0 {
				ticker.Reset(tick)
			}
			f.work(func() { f.join(ctx, st) })
		case st := <-pulls:
			f.work(func() { f.sendMore(st) })
		case st := <-f.leaves:
			if f.leave(st); len(f.streams) == 0 {
				ticker.Stop()
				due = false
				f.overview = overview{} // it would only become old
			}
		case <-f.rest.C:
			f.resting = false
		case <-ticker.C:
			due = true
		}
		if due && !f.resting {
			due = false
			f.work(func() { f.sendDue(changed.Changed()) })
		}
	}
}

// work does some work, and begins the rest after it. There is no longest rest: only pages
// wait for the feed, and they may ask for much.
func (f *feed) work(do func()) {
	began := time.Now()
	do()
	if rest := rate.RestAfter(time.Since(began)); rest > 0 {
		f.resting = true
		f.rest.Reset(rest)
	}
}

// sendDue sends what is due at a tick.
func (f *feed) sendDue(changed <-chan struct{}) {
	f.ticks++
	slow := f.ticks%slowTicks == 0
	look := slow || f.overview.incomplete
	select {
	case <-changed:
		look = true
	default:
	}
	if look {
		f.broadcast(f.overview.scan(slow))
	}
	if slow {
		f.broadcast(f.overview.bars())
		f.sendEarlier()
	}
	if f.ticks%detailTicks == 0 {
		f.sendDetails(f.ticks%plotTicks == 0)
	}
}

// retry makes a browser that has lost its connection try again after 1 s.
const retry = "retry: 1000\n"

// join adds a page, and sends it the present state of the service that it shows whole,
// and the beginning of that of all services.
func (f *feed) join(ctx context.Context, st *stream) {
	accepted := f.makeRoom(st.from)
	st.accepted <- accepted
	if !accepted {
		return
	}
	f.joined++
	st.number = f.joined
	if len(f.streams) == 0 {
		f.overview = newOverview(ctx, f.Server)
	}
	f.streams[st] = struct{}{}
	f.send(st, append([]byte(retry), f.event("hello", helloJSON{f.stamp(), f.config.Host, f.config.Version})...))
	if st.service != "" {
		d := f.details[st.service]
		if d == nil {
			d = &detail{service: st.service}
			f.details[st.service] = d
		}
		d.streams = append(d.streams, st)
		st.steps = []func() []byte{
			func() []byte { return d.state(f) },
			func() []byte { return d.earlier(f) },
			func() []byte { return d.past(f, st.evidence) },
			func() []byte { return d.plot(f) },
		}
	}
	f.sendMore(st)
}

// makeRoom reports whether there is room for one more page of the address. If all are open,
// it closes the oldest of the address that has most, unless this one has as many.
func (f *feed) makeRoom(from netip.Prefix) bool {
	if len(f.streams) < maxStreams {
		return true
	}
	open := make(map[netip.Prefix]int)
	var victim *stream
	for st := range f.streams {
		open[st.from]++
	}
	for st := range f.streams {
		if victim == nil || open[st.from] > open[victim.from] || open[st.from] == open[victim.from] && st.number < victim.number {
			victim = st
		}
	}
	if open[victim.from] <= open[from]+1 {
		return false
	}
	f.cut(victim)
	return true
}

// cut ends the stream of an open page.
func (f *feed) cut(st *stream) {
	f.leave(st)
	close(st.cut)
	f.backlog.cut(st)
}

// sendMore sends some more of the present state to a page that has taken all before: of
// the service that it shows whole, and then of all services.
func (f *feed) sendMore(st *stream) {
	if _, open := f.streams[st]; !open {
		return
	}
	for len(st.steps) > 0 {
		text := st.steps[0]()
		if st.steps = st.steps[1:]; text != nil {
			f.push(st, &event{text: text, more: true})
			return
		}
	}
	var text []byte
	text, st.after = f.overview.piece(st.after)
	f.push(st, &event{text: text, more: st.after != ""})
}

// leave removes a page. It may have been removed before.
func (f *feed) leave(st *stream) {
	delete(f.streams, st)
	f.backlog.drop(st)
	d := f.details[st.service]
	if d == nil {
		return
	}
	if d.remove(st); len(d.streams) == 0 {
		delete(f.details, st.service)
	}
}

// broadcast sends the event to all pages; nil = there is none.
func (f *feed) broadcast(text []byte) {
	if text == nil {
		return
	}
	e := &event{text: text}
	for st := range f.streams {
		f.push(st, e)
	}
}

// send sends the event to a page, or cuts the page off; nil = there is none.
func (f *feed) send(st *stream, text []byte) {
	if text != nil {
		f.push(st, &event{text: text})
	}
}

// push queues the event for a page, or cuts the page off. If too much waits for all pages,
// it cuts off those for which most waits.
func (f *feed) push(st *stream, e *event) {
	if _, open := f.streams[st]; !open {
		return
	}
	if !f.backlog.add(st, e) {
		f.cut(st)
		return
	}
	st.queue <- e // which has room: only the feed sends
	for f.backlog.full() && len(f.streams) > 0 {
		f.cut(f.backlog.most(f.streams))
	}
}

// sendDetails sends the state of each service that a page shows whole, its past if that
// has changed, and its last hour if withPlot.
func (f *feed) sendDetails(withPlot bool) {
	for _, d := range f.details {
		events := []*event{{text: d.state(f)}}
		if withPlot {
			if text := d.plot(f); text != nil {
				events = append(events, &event{text: text})
			}
		}
		past := make(map[bool]*event) // by whether it has evidence
		key := d.pastKey(f)
		changed := d.sent == nil || d.key != key
		if changed {
			d.reset(key)
		}
		for _, st := range d.all() {
			if changed && past[st.evidence] == nil {
				past[st.evidence] = &event{text: d.past(f, st.evidence)}
			}
			for _, e := range events {
				f.push(st, e)
			}
			if changed {
				f.push(st, past[st.evidence])
			}
		}
	}
}

// recallTime is how long after the start changes that earlier sidecars have seen may become
// known.
const recallTime = 2 * time.Minute

// sendEarlier sends what has become known since of what earlier sidecars have seen.
func (f *feed) sendEarlier() {
	if time.Since(f.began) > recallTime {
		return
	}
	f.broadcast(f.overview.recalled())
	for _, d := range f.details {
		if d.recalled > 0 {
			continue
		}
		if text := d.earlier(f); text != nil {
			e := &event{text: text}
			for _, st := range d.all() {
				f.push(st, e)
			}
		}
	}
}

// timeJSON dates an event. All other times in events are by the same clock as Now, so
// that they do not jump when a clock is set.
type timeJSON struct {
	Now  int64 `json:"now"`  // ms by a clock of the page's own
	Wall int64 `json:"wall"` // ms since 1970 at that time
}

func (s *Server) stamp() timeJSON { return timeJSON{s.elapsed(), time.Now().UnixMilli()} }

type helloJSON struct {
	timeJSON
	Host    string `json:"host"`
	Version string `json:"version"`
}

// event returns the bytes of a server-sent event.
func (*Server) event(name string, data any) []byte {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err) // a mistake in the types
	}
	b := make([]byte, 0, len(text)+len(name)+20)
	b = append(b, "event: "...)
	b = append(b, name...)
	b = append(b, "\ndata: "...)
	b = append(b, text...)
	return append(b, "\n\n"...)
}
