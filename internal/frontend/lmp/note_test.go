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
	"github.com/landmark-health/landmark/lmp"
)

// remembered returns what is remembered of who asked for the services, and for
// names that nobody knows.
func remembered(m *checkers.Tracker, services ...string) (all []string) {
	for _, service := range services {
		for _, a := range m.ByService(service) {
			all = append(all, fmt.Sprintf("%s: %s %s %d", service, a.Address(), a.Via, a.Total))
		}
	}
	for _, a := range m.Unknown() {
		all = append(all, fmt.Sprintf("unknown %s: %s %s %d", a.Name, a.Address(), a.Via, a.Total))
	}
	return all
}

func TestCheckersAreRemembered(t *testing.T) {
	r, p := newRegistry(t)
	m := newMemory()
	s := serve(t, Config{Address: ":0", Source: r, Checkers: m})
	asking := []string{"epg", "epg-liveness", "epg-startup", "epg-readiness", "", "liveness", "epgg", "epgg-liveness"}
	for _, address := range []string{"127.0.0.1", "::1"} {
		for range 2 { // from two ports
			a := newChecker(t, s.at(address))
			for _, name := range asking {
				a.ask(s.at(address), check(t, name))
			}
			a.ask(s.at(address), describe(t, "epg"))
		}
	}
	conn, err := net.Dial("tcp", s.at("127.0.0.1").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for _, name := range asking {
		write(t, conn, check(t, name))
		next(t, conn)
	}
	// Who has to wait for the answer has asked, too.
	p.report(0, fact(longAgo))
	write(t, conn, fresh(t, lmp.KindCheck))
	p.report(<-p.commands, fact(0))
	next(t, conn)
	want := []string{
		"epg: 127.0.0.1 lmp-tcp 5", "epg: 127.0.0.1 lmp-udp 10", "epg: ::1 lmp-udp 10",
		": 127.0.0.1 lmp-tcp 2", ": 127.0.0.1 lmp-udp 4", ": ::1 lmp-udp 4",
		"unknown epgg: 127.0.0.1 lmp-tcp 1", "unknown epgg: 127.0.0.1 lmp-udp 2", "unknown epgg: ::1 lmp-udp 2",
		"unknown epgg-liveness: 127.0.0.1 lmp-tcp 1", "unknown epgg-liveness: 127.0.0.1 lmp-udp 2", "unknown epgg-liveness: ::1 lmp-udp 2",
	}
	if diff := cmp.Diff(want, remembered(m, "epg", "")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRefusedAreNotRemembered holds that what gets no answer asks about nothing.
func TestRefusedAreNotRemembered(t *testing.T) {
	r, _ := newRegistry(t)
	m, k := newMemory(), key(t, 1, "a")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{k}, Checkers: m})
	good := request(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("vod")}, k)
	s.silence(t, s.at("127.0.0.1"), s.at("127.0.0.1"), check(t, "epg"), unauthenticated, good)
	conn := s.connect(t)
	write(t, conn, check(t, "epg"))
	closed(t, conn)
	if all := remembered(m, "epg"); slices.ContainsFunc(all, func(s string) bool { return s[:3] == "epg" }) {
		t.Errorf("remembered are %q", all)
	}
}

// instants are when checkers were noted.
type instants map[netip.Addr]time.Duration

func (i instants) Record(_ checkers.Check, a checkers.Checker, at time.Duration) { i[a.From] = at }

func (i instants) Watch(checkers.Checker) *checkers.Watch { return nil }

// TestNotedAtTheAnswersInstant holds that the instant is of the registry's
// clock, whose reading costs as much as the rest.
func TestNotedAtTheAnswersInstant(t *testing.T) {
	r, _ := newRegistry(t)
	noted := instants{}
	s := &Server{config: Config{Source: r, Checkers: noted}}
	before := time.Duration(r.Clock().Judged())
	a, _ := r.Lookup([]byte("epg"), 0)
	d := datagram{from: netip.MustParseAddrPort("[::ffff:10.0.0.1]:4711")}
	s.noteDatagram(d, lmp.Request{Service: []byte("epg")}, &a)
	at := noted[netip.MustParseAddr("10.0.0.1")]
	if now := time.Duration(r.Clock().Judged()); at < before || at > now {
		t.Errorf("noted at %v, want %v to %v", at, before, now)
	}
}

func TestWatchersAreRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bubble) {
		m := newMemory()
		b.config.Checkers = m
		conn, done := b.connect()
		q := request(t, lmp.Request{Kind: lmp.KindWatch, Service: []byte("epg-liveness"), MaxAge: time.Second}, nil)
		write(t, conn, q)
		for range 60 {
			next(t, conn)
		}
		if told := m.ByService("epg"); len(told) != 1 || told[0].Watching != 1 || told[0].Total != 1 || told[0].Via != checkers.LMPWatch {
			t.Errorf("remembered is %+v", told)
		}
		conn.Close()
		<-done
		time.Sleep(11 * time.Second)
		if told := m.ByService("epg"); told[0].Watching != 0 || !told[0].Silent {
			t.Errorf("of a checker that watched and went, remembered is %+v", told)
		}
	})
}
