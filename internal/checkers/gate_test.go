package checkers

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateShowsSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newTracker()
		want := func(state GateState, since time.Duration, there bool) {
			t.Helper()
			if got, ok := m.Gate("epg"); ok != there || there && got != (GateStats{state, since}) {
				t.Errorf("got %+v, %t, want %+v since %v, %t", got, ok, state, since, there)
			}
		}
		want(GateState{}, 0, false)
		record(m, "epg", at("10.0.0.1"))
		want(GateState{}, 0, false)
		time.Sleep(time.Minute)

		closed := GateState{Name: "epg", Address: netip.MustParseAddrPort("0.0.0.0:15400")}
		failing, open := closed, closed
		failing.Problem, open.Open = "taken", true
		m.SetGate("epg", closed)
		time.Sleep(time.Second)
		want(closed, time.Second, true)
		for range 2 {
			m.SetGate("epg", failing)
			time.Sleep(time.Second)
		}
		want(failing, 3*time.Second, true)
		for range 2 {
			m.SetGate("epg", open)
			time.Sleep(time.Second)
		}
		want(open, 2*time.Second, true)
		m.SetGate("epg", closed)
		want(closed, 0, true)

		m.SetGate("epg", GateState{})
		want(GateState{}, 0, false)
		time.Sleep(time.Second)
		moved := closed
		moved.Address = netip.MustParseAddrPort("0.0.0.0:15401")
		m.SetGate("epg", moved)
		want(moved, 0, true)
	})
}
