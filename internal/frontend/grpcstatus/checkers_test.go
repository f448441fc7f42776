package grpcstatus

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/landmark-health/landmark/internal/checkers"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// checkerAt returns a checker at the address, over UDP.
func checkerAt(address string) checkers.Checker {
	return checkers.Checker{From: netip.MustParseAddr(address), Via: checkers.LMPUDP}
}

// checkOf returns a check of a service, or of all services if it is empty.
func checkOf(service string) checkers.Check { return checkers.Check{Service: service, Known: true} }

func TestListReturnsCheckers(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := f.newProcess("epg")
		p.Work()
		f.newProcess("vod").Work()
		start := time.Now()
		for range 64 {
			f.checkers.Record(checkOf("epg"), checkerAt("10.0.0.2"), time.Since(start))
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		w := f.checkers.Watch(checkers.Checker{Via: checkers.GRPCWatch})
		w.Record(checkOf("epg"))
		defer w.End()
		f.checkers.Record(checkOf("epg"), checkerAt("10.0.0.1"), time.Since(start))
		time.Sleep(300 * time.Millisecond)
		want := parse(t, `
			checkers { address: "10.0.0.2" front_end: "lmp-udp" since_last_check { seconds: 3600 nanos: 800000000 } per_second: 1e-5 usual_per_second: 2 total: 64 silent: true }
			checkers { address: "unix" front_end: "grpc-watch" since_last_check {} total: 1 watching: 1 }
			checkers { address: "10.0.0.1" front_end: "lmp-udp" since_last_check { nanos: 300000000 } total: 1 }`).Checkers
		approximately := cmp.Comparer(func(x, y float64) bool { return x-y < 1e-3 && y-x < 1e-3 })
		for _, name := range []string{"epg", ""} {
			services, err := f.list(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, services[0].Checkers, protocmp.Transform(), approximately); diff != "" {
				t.Errorf("in a list of %q, -want +got:\n%s", name, diff)
			}
			if len(services) == 2 && len(services[1].Checkers) != 0 {
				t.Errorf("vod has the checkers %v, want none", services[1].Checkers)
			}
		}
	})
}

func TestCheckersReturnsCheckersOfAllAndUnknownNames(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.checkers.Record(checkOf(""), checkerAt("10.0.0.1"), 0)
		for _, name := range []string{"epg-liveness", "epgg", "vod\xff"} {
			f.checkers.Record(checkers.Check{Name: []byte(name)}, checkerAt("10.0.0.2"), 0)
		}
		f.newProcess("epg").Work() // and so no unknown name any more
		got, err := f.client.Checkers(t.Context(), &statusv1.CheckersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		want := new(statusv1.CheckersResponse)
		if err := prototext.Unmarshal([]byte(`
			all { address: "10.0.0.1" front_end: "lmp-udp" since_last_check {} total: 1 }
			unknown { name: "epgg" checker { address: "10.0.0.2" front_end: "lmp-udp" since_last_check {} total: 1 } }
			unknown { name: "vod\357\277\275" checker { address: "10.0.0.2" front_end: "lmp-udp" since_last_check {} total: 1 } }`), want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// A BFD session is listed with the service that its name belongs to at that moment.
func TestListReturnsBFDSessions(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.newProcess("epg").Work()
		f.newProcess("vod").Work()
		local := netip.MustParseAddr("10.0.0.7")
		begin := func(name, peer string) *checkers.BFDSession {
			s := f.checkers.BFDSession(checkers.Peering{Name: name, Peer: netip.MustParseAddr(peer), Local: local})
			t.Cleanup(s.End)
			return s
		}
		begin("epg-liveness", "10.0.0.1").Record(checkOf("epg"), checkers.BFDState{PeerAlive: true, Why: "the service does not serve"})
		begin("epg", "10.0.0.2").Record(checkOf("epg"), checkers.BFDState{PeerAlive: true, Up: true})
		begin("epg", "10.0.0.3").Record(checkOf("epg"), checkers.BFDState{Why: "the peer is silent"})
		begin("guide", "10.0.0.4").Record(checkers.Check{Name: []byte("guide")}, checkers.BFDState{PeerAlive: true, Why: "the service does not serve"})
		begin("readiness", "10.0.0.5").Record(checkOf(""), checkers.BFDState{PeerAlive: true, Up: true})
		time.Sleep(time.Minute)
		want := parse(t, `
			bfd_sessions { name: "epg" peer: "10.0.0.3" local: "10.0.0.7" silent: true state_age { seconds: 60 } reason: "the peer is silent" }
			bfd_sessions { name: "epg" peer: "10.0.0.2" local: "10.0.0.7" up: true state_age { seconds: 60 } }
			bfd_sessions { name: "epg-liveness" peer: "10.0.0.1" local: "10.0.0.7" state_age { seconds: 60 } reason: "the service does not serve" }`).BfdSessions
		for _, name := range []string{"epg", ""} {
			services, err := f.list(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, services[0].BfdSessions, protocmp.Transform()); diff != "" {
				t.Errorf("in a list of %q, -want +got:\n%s", name, diff)
			}
			if len(services[0].Checkers) > 0 || len(services) == 2 && len(services[1].BfdSessions) > 0 {
				t.Errorf("in a list of %q: epg has the checkers %v, and vod the sessions of %v", name, services[0].Checkers, services)
			}
		}
		wantOthers := func(want string) {
			t.Helper()
			got, err := f.client.Checkers(t.Context(), &statusv1.CheckersRequest{})
			if err != nil {
				t.Fatal(err)
			}
			response := new(statusv1.CheckersResponse)
			if err := prototext.Unmarshal([]byte(want), response); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(response, got, protocmp.Transform()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		}
		const ofAll = `bfd_sessions { name: "readiness" peer: "10.0.0.5" local: "10.0.0.7" up: true state_age { seconds: 60 } }`
		wantOthers(ofAll + `bfd_sessions { name: "guide" peer: "10.0.0.4" local: "10.0.0.7" state_age { seconds: 60 } reason: "the service does not serve" }`)
		f.newProcess("guide").Work()
		wantOthers(ofAll)
	})
}

func TestListReturnsGates(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		for _, service := range []string{"epg", "guide", "vod"} {
			f.newProcess(service).Work()
		}
		f.checkers.SetGate("epg", checkers.GateState{Name: "epg", Address: netip.MustParseAddrPort("[::]:15400"), Open: true})
		f.checkers.SetGate("vod", checkers.GateState{Name: "vod-liveness", Address: netip.MustParseAddrPort("10.0.0.7:15401"), Problem: "it is taken"})
		time.Sleep(time.Minute)
		services, err := f.list("")
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{
			`gate { name: "epg" address: ":15400" open: true state_age { seconds: 60 } }`,
			``,
			`gate { name: "vod-liveness" address: "10.0.0.7:15401" state_age { seconds: 60 } problem: "it is taken" }`,
		} {
			if diff := cmp.Diff(parse(t, want).Gate, services[i].Gate, protocmp.Transform()); diff != "" {
				t.Errorf("the gate of %s, -want +got:\n%s", services[i].Name, diff)
			}
		}
	})
}
