package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/judge"
)

func TestParseGates(t *testing.T) {
	file, err := parse("landmarkd.yaml", []byte(`
services:
  epg: {gate: ":15400"}
  vod:
    gate:
      listen: 10.0.0.7:15401
      aspect: liveness
  none: {fall_after: 1s}
  guide: {gate: {listen: "[2001:db8::7]:15403", aspect: startup}}
  mapped: {gate: {listen: "[::ffff:10.0.0.8]:15401", aspect: readiness}}
  old: {gate: "0.0.0.0:15402"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Gate{
		{"epg", judge.Readiness, netip.MustParseAddrPort("[::]:15400")},
		{"vod", judge.Liveness, netip.MustParseAddrPort("10.0.0.7:15401")},
		{"guide", judge.Startup, netip.MustParseAddrPort("[2001:db8::7]:15403")},
		{"mapped", judge.Readiness, netip.MustParseAddrPort("10.0.0.8:15401")},
		{"old", judge.Readiness, netip.MustParseAddrPort("[::]:15402")},
	}
	if diff := cmp.Diff(want, file.Gates, byValue); diff != "" {
		t.Errorf("the gates differ (-want +got):\n%s", diff)
	}
	if len(file.Services) != 6 {
		t.Errorf("%d services, want 6", len(file.Services))
	}
}

// A gate cannot have a port of landmarkd's own, whichever way that is written.
func TestGateOnOwnPortIsRefused(t *testing.T) {
	for _, test := range []struct {
		gate, own string
		refused   bool
	}{
		{":19534", ":19534", true},
		{"10.0.0.7:19534", ":19534", true},
		{":19534", "127.0.0.1:19534", true},
		{"10.0.0.7:19534", "0.0.0.0:19534", true},
		{"10.0.0.7:19534", "[::]:19534", true},
		{"10.0.0.7:19534", "[::ffff:10.0.0.7]:19534", true},
		{"10.0.0.7:19534", "localhost:19534", true}, // may be any address
		{":80", ":http", true},
		{"10.0.0.7:19534", "10.0.0.8:19534", false},
		{":19535", ":19534", false},
		{":19534", "", false}, // off
		{":19534", "unix:/run/landmark/grpc.sock", false},
		{":19534", "nonsense", false},
	} {
		src := fmt.Sprintf("services:\n  epg:\n    gate: %q\n", test.gate)
		_, err := parse("f", []byte(src), Listener{Flag: "monitor", Address: ":1"}, Listener{Flag: "grpc", Address: test.own})
		want := fmt.Sprintf("f:3:11: services.epg.gate: has the port of landmarkd's own -grpc %s: choose another port\n", test.own)
		switch {
		case !test.refused && err != nil:
			t.Errorf("gate %s beside -grpc %s: %v", test.gate, test.own, err)
		case test.refused && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("gate %s beside -grpc %s: got error %v, want %s", test.gate, test.own, err, want)
		}
	}
}

// Two gates can have one port only at two addresses of one family.
func TestGatesAtOnePort(t *testing.T) {
	for _, test := range []struct {
		first, second string
		refused       bool
	}{
		{"10.0.0.7:15400", "10.0.0.8:15400", false},
		{"[2001:db8::7]:15400", "[2001:db8::8]:15400", false},
		{"10.0.0.7:15400", "10.0.0.7:15400", true},
		{":15400", "10.0.0.7:15400", true},
		{"[2001:db8::7]:15400", "0.0.0.0:15400", true},
		{"10.0.0.7:15400", "[2001:db8::7]:15400", true},
		{"[2001:db8::7]:15400", "10.0.0.7:15400", true},
		{"10.0.0.7:15400", "[::ffff:10.0.0.8]:15400", false},
		{"10.0.0.7:15400", "[2001:db8::7]:15401", false},
	} {
		src := fmt.Sprintf("services:\n  epg: {gate: %q}\n  guide: {gate: %q}\n", test.first, test.second)
		_, err := parse("f", []byte(src))
		const want = "f:3:17: services.guide.gate: has the port of the gate of epg, "
		switch {
		case !test.refused && err != nil:
			t.Errorf("gates %s and %s: %v", test.first, test.second, err)
		case test.refused && (err == nil || !strings.HasPrefix(err.Error(), want)):
			t.Errorf("gates %s and %s: got error %v, want %s", test.first, test.second, err, want)
		}
	}
}

func TestTooManyGatesAreRefused(t *testing.T) {
	var src strings.Builder
	src.WriteString("services:\n")
	for i := range MaxGates {
		fmt.Fprintf(&src, "  s%d: {gate: \":%d\"}\n", i, 15400+i)
	}
	if _, err := parse("f", []byte(src.String())); err != nil {
		t.Error(err)
	}
	src.WriteString("  more: {gate: \":15300\"}\n")
	_, err := parse("f", []byte(src.String()))
	if want := "f:2:3: services: has 65 gates: use 64 at most\n"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got error %v, want %s", err, want)
	}
}
