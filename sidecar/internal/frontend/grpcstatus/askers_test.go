package grpcstatus

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
	"github.com/landmark-health/landmark/sidecar/internal/askers"
)

// at is the asker of that address.
func at(address string) askers.Asker {
	return askers.Asker{From: netip.MustParseAddr(address), By: askers.LMPUDP}
}

// about is a question about a service, or all.
func about(service string) askers.Question { return askers.Question{Service: service, Known: true} }

func TestListTellsAskers(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		p := newProgram(t, f.registry, "epg")
		p.work()
		newProgram(t, f.registry, "vod").work()
		begun := time.Now()
		for range 64 {
			f.askers.Note(about("epg"), at("10.0.0.2"), time.Since(begun))
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		w := f.askers.Watch(askers.Asker{By: askers.GRPCWatch})
		w.Note(about("epg"))
		defer w.End()
		f.askers.Note(about("epg"), at("10.0.0.1"), time.Since(begun))
		time.Sleep(300 * time.Millisecond)
		want := parse(t, `
			askers { address: "10.0.0.2" front_end: "lmp-udp" asked { seconds: 3600 nanos: 800000000 } per_second: 1e-5 usual_per_second: 2 total: 64 silent: true }
			askers { address: "unix" front_end: "grpc-watch" asked {} total: 1 watching: 1 }
			askers { address: "10.0.0.1" front_end: "lmp-udp" asked { nanos: 300000000 } total: 1 }`).Askers
		approximately := cmp.Comparer(func(x, y float64) bool { return x-y < 1e-3 && y-x < 1e-3 })
		for _, name := range []string{"epg", ""} {
			services, err := f.list(name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, services[0].Askers, protocmp.Transform(), approximately); diff != "" {
				t.Errorf("in a list of %q, -want +got:\n%s", name, diff)
			}
			if len(services) == 2 && len(services[1].Askers) != 0 {
				t.Errorf("of vod: %v", services[1].Askers)
			}
		}
	})
}

func TestAskersOfNoOneService(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, f *fixture) {
		f.askers.Note(about(""), at("10.0.0.1"), 0)
		for _, name := range []string{"epg-liveness", "epgg", "vod\xff"} {
			f.askers.Note(askers.Question{Name: []byte(name)}, at("10.0.0.2"), 0)
		}
		newProgram(t, f.registry, "epg").work() // it is known by now
		got, err := f.client.Askers(t.Context(), &statusv1.AskersRequest{})
		if err != nil {
			t.Fatal(err)
		}
		want := new(statusv1.AskersResponse)
		if err := prototext.Unmarshal([]byte(`
			all { address: "10.0.0.1" front_end: "lmp-udp" asked {} total: 1 }
			unknown { name: "epgg" asker { address: "10.0.0.2" front_end: "lmp-udp" asked {} total: 1 } }
			unknown { name: "vod\357\277\275" asker { address: "10.0.0.2" front_end: "lmp-udp" asked {} total: 1 } }`), want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}
