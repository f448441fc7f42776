package guard

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestUnreadDataIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		g := newGuarded(t, limits, 1)
		// A frame of one byte costs more memory than one byte.
		for range connBytes / costOf(1) {
			g.framer.WriteData(1, false, []byte{0})
		}
		g.want("as much as a connection may hold by itself", nil)
		if left := limits.Budget.left(); left != 1<<20 {
			t.Errorf("%d bytes of the budget are left", left)
		}
		for range 1000 {
			g.framer.WriteData(1, false, make([]byte, 16<<10))
		}
		g.want("much more", errUnread)
		if left := limits.Budget.left(); left != 1<<20 {
			t.Errorf("after the end %d bytes of the budget are left", left)
		}

		// Many connections together take no more than the budget.
		all := 0
		for range 100 {
			g := newGuarded(t, limits, 1)
			g.headers(1)
			for range 5 {
				g.framer.WriteData(1, false, make([]byte, 16<<10))
			}
			if g.pass() == nil {
				all++
				defer g.Close()
			}
		}
		if most := (1 << 20) / (4 << 14); all < 10 || all > most {
			t.Errorf("%d connections hold 80 kB each, want at most %d", all, most)
		}
		honest := newGuarded(t, limits, 2)
		for n := range uint32(100) {
			honest.headers(2*n + 1)
			honest.framer.WriteData(2*n+1, true, make([]byte, 100))
			honest.want("a small request", nil)
			honest.answer(2*n + 1)
		}
	})
}

// A message that uses the budget must arrive whole in time. Small messages may
// follow one another without end.
func TestUnfinishedMessageEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Message: 384 << 10, Streams: 8, Budget: NewBudget(1<<20, 8), ClientStreams: true}
		g := newGuarded(t, limits, 1)
		g.headers(1)
		for range 3 {
			for range 10 {
				g.framer.WriteData(1, false, make([]byte, 16<<10))
			}
			g.want("a large message", nil)
			time.Sleep(requestTimeout - time.Second)
			g.release(10 * 16 << 10)
		}
		time.Sleep(time.Hour)
		if g.wire.closed.Load() {
			t.Error("the connection was closed although its messages arrived whole")
		}
		for range 10 {
			g.framer.WriteData(1, false, make([]byte, 16<<10))
		}
		g.want("a large message", nil)
		time.Sleep(requestTimeout + time.Second)
		if !g.wire.closed.Load() {
			t.Error("the connection is open although its message did not arrive whole")
		}
		if left := limits.Budget.left(); left != 1<<20 {
			t.Errorf("%d bytes of the budget are left", left)
		}
	})
}

// A request that the client has ended is with its handler, however long the answer takes. One
// that is no single message counts until its stream ends.
func TestEndedRequestIsNotUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := Limits{Message: 4 << 10, Streams: 1000, Budget: NewBudget(1<<20, 1000)}
		g := newGuarded(t, limits, 1)
		for n := range uint32(1000) {
			g.headers(2*n + 1)
			g.framer.WriteData(2*n+1, false, make([]byte, 50))
			g.want("the beginning of a request", nil)
			if g.unread.data != 50 {
				t.Fatalf("%d bytes are unread, want 50", g.unread.data)
			}
			g.framer.WriteData(2*n+1, n%2 == 0, make([]byte, 50))
			g.framer.WriteData(2*n+1, true, nil)
			g.want("a request", nil)
			if g.unread != (unread{timer: g.unread.timer}) {
				t.Fatalf("unread is %+v, want nothing", g.unread)
			}
		}
		time.Sleep(time.Hour)
		if g.wire.closed.Load() {
			t.Error("the connection was closed although its requests came whole")
		}

		// What comes in many pieces is not one message.
		const large = 2001
		g.headers(large)
		for range maxRequestCost/costOf(1) + 1 {
			g.framer.WriteData(large, false, []byte{0})
		}
		g.framer.WriteData(large, true, []byte{0})
		g.want("many small pieces", nil)
		if g.unread.cost <= maxRequestCost {
			t.Errorf("unread is %+v, want all of it", g.unread)
		}
		g.answer(large)
		if g.unread.cost != 0 {
			t.Errorf("after the answer unread is %+v, want nothing", g.unread)
		}
	})
}
