package lmp

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/lmp"
)

// recorded returns the checkers recorded for the services, and for unknown names.
func recorded(m *checkers.Tracker, services ...string) (all []string) {
	for _, service := range services {
		for _, c := range m.ByService(service) {
			all = append(all, fmt.Sprintf("%s: %s %s %d", service, c.Address(), c.Via, c.Total))
		}
	}
	for _, c := range m.Unknown() {
		all = append(all, fmt.Sprintf("unknown %s: %s %s %d", c.Name, c.Address(), c.Via, c.Total))
	}
	return all
}

func TestCheckersAreRecorded(t *testing.T) {
	r, p := newRegistry(t)
	m := frontendtest.NewTracker()
	s := serve(t, Config{Address: ":0", Source: r, Checkers: m})
	names := []string{"epg", "epg-liveness", "epg-startup", "epg-readiness", "", "liveness", "epgg", "epgg-liveness"}
	for _, address := range []string{"127.0.0.1", "::1"} {
		for range 2 { // two ports of one checker
			c := newUDPClient(t, s.addr(address))
			for _, name := range names {
				c.request(s.addr(address), check(t, name))
			}
			c.request(s.addr(address), describe(t, "epg"))
		}
	}
	conn, err := net.Dial("tcp", s.addr("127.0.0.1").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	for _, name := range names {
		write(t, conn, check(t, name))
		readFrame(t, conn)
	}
	// A request that waits is recorded too.
	p.Report(fact(longAgo))
	write(t, conn, freshRequest(t, lmp.KindCheck))
	p.AnswerCommand(<-p.Commands, fact(0))
	readFrame(t, conn)
	s.stop() // after which all are recorded
	want := []string{
		"epg: 127.0.0.1 lmp-tcp 5", "epg: 127.0.0.1 lmp-udp 10", "epg: ::1 lmp-udp 10",
		": 127.0.0.1 lmp-tcp 2", ": 127.0.0.1 lmp-udp 4", ": ::1 lmp-udp 4",
		"unknown epgg: 127.0.0.1 lmp-tcp 1", "unknown epgg: 127.0.0.1 lmp-udp 2", "unknown epgg: ::1 lmp-udp 2",
		"unknown epgg-liveness: 127.0.0.1 lmp-tcp 1", "unknown epgg-liveness: 127.0.0.1 lmp-udp 2", "unknown epgg-liveness: ::1 lmp-udp 2",
	}
	if diff := cmp.Diff(want, recorded(m, "epg", "")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRejectedRequestsAreNotRecorded(t *testing.T) {
	r, _ := newRegistry(t)
	m, k := frontendtest.NewTracker(), newKey(t, 1, "a")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{k}, Checkers: m})
	good := newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("vod")}, k)
	s.wantNoAnswer(t, s.addr("127.0.0.1"), s.addr("127.0.0.1"), check(t, "epg"), unauthenticated, good)
	conn := s.connect(t)
	write(t, conn, check(t, "epg"))
	wantClosed(t, conn)
	if all := recorded(m, "epg"); slices.ContainsFunc(all, func(s string) bool { return s[:3] == "epg" }) {
		t.Errorf("recorded %q, want nothing about epg", all)
	}
}

// recordTimes holds the time of each address's last record.
type recordTimes map[netip.Addr]time.Duration

func (t recordTimes) Record(_ checkers.Check, c checkers.Checker, at time.Duration) { t[c.From] = at }

func (t recordTimes) RecordAll(q checkers.Check, c checkers.Checker, _ int, at time.Duration) {
	t.Record(q, c, at)
}

func (t recordTimes) Watch(checkers.Checker) *checkers.Watch { return nil }

// The registry's clock is not read again, because that costs as much as the rest.
func TestRecordHasTimeOfAnswer(t *testing.T) {
	r, _ := newRegistry(t)
	times := recordTimes{}
	s := &Server{config: Config{Source: r, Checkers: times}}
	before := time.Duration(r.Clock().Judged())
	a, _ := r.Lookup([]byte("epg"), 0)
	d := datagram{from: netip.MustParseAddrPort("[::ffff:10.0.0.1]:4711")}
	rec := recordOf(d, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}, &a)
	s.record(&rec)
	at := times[netip.MustParseAddr("10.0.0.1")]
	if now := time.Duration(r.Clock().Judged()); at < before || at > now {
		t.Errorf("recorded at %v, want %v to %v", at, before, now)
	}
}

func TestWatchersAreRecorded(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		m := frontendtest.NewTracker()
		f.config.Checkers = m
		conn, done := f.connect()
		q := watchRequest(t, "epg-liveness", time.Second)
		write(t, conn, q)
		for range 60 {
			readFrame(t, conn)
		}
		if got := m.ByService("epg"); len(got) != 1 || got[0].Watching != 1 || got[0].Total != 1 || got[0].Via != checkers.LMPWatch {
			t.Errorf("recorded %+v", got)
		}
		conn.Close()
		<-done
		time.Sleep(11 * time.Second)
		if got := m.ByService("epg"); got[0].Watching != 0 || !got[0].Silent {
			t.Errorf("after the watcher left, recorded %+v", got)
		}
	})
}
