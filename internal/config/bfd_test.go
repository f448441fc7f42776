package config

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/bfd"
)

// writeKeyFile writes the key file of a BFD session.
func writeKeyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bfd.key")
	if err := os.WriteFile(path, []byte("7:6c616e646d61726b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParsePeerings(t *testing.T) {
	got, err := parse("landmarkd.yaml", []byte(`
bfd:
  - service: epg
    peer: 192.0.2.1
    local: "::ffff:192.0.2.7"
  - &second
    service: epg-liveness
    peer: 2001:db8::1
    local: 2001:db8::7
    interval: 100ms
    multiplier: 255
    passive: true
    key_file: `+writeKeyFile(t)+`
  - {<<: *second, service: readiness, peer: 2001:db8::2}
`))
	if err != nil {
		t.Fatal(err)
	}
	pair := func(peer, local string) bfd.Pair {
		return bfd.Pair{Peer: netip.MustParseAddr(peer), Local: netip.MustParseAddr(local)}
	}
	key := bfd.Key{Number: 7, Secret: [bfd.MaxSecret]byte{'l', 'a', 'n', 'd', 'm', 'a', 'r', 'k'}}
	want := []bfd.Peering{
		{Pair: pair("192.0.2.1", "192.0.2.7"), Service: "epg", Interval: time.Second, Multiplier: 3},
		{Pair: pair("2001:db8::1", "2001:db8::7"), Service: "epg-liveness", Interval: 100 * time.Millisecond, Multiplier: 255, Passive: true, Key: key},
		{Pair: pair("2001:db8::2", "2001:db8::7"), Service: "readiness", Interval: 100 * time.Millisecond, Multiplier: 255, Passive: true, Key: key},
	}
	if diff := cmp.Diff(want, got.Peerings, byValue); diff != "" {
		t.Errorf("the sessions differ (-want +got):\n%s", diff)
	}
	checkPeerings(t, got.Peerings)
}

func TestTooManyPeerings(t *testing.T) {
	var src strings.Builder
	src.WriteString("bfd:\n")
	for i := range MaxPeerings + 1 {
		fmt.Fprintf(&src, "- {service: epg, peer: 192.0.2.%d, local: 192.0.2.200}\n", i+1)
	}
	const want = "f:2:1: bfd: has 65 sessions: use 64 at most"
	if _, err := parse("f", []byte(src.String())); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// checkPeerings checks that sessions are in range, independently of the code that
// reads them.
func checkPeerings(t *testing.T, peerings []bfd.Peering) {
	t.Helper()
	pairs := make(map[bfd.Pair]bool)
	for _, p := range peerings {
		if p.Service == "" || p.Interval < 50*time.Millisecond || p.Interval > time.Minute || p.Multiplier == 0 ||
			!p.Peer.IsValid() || p.Peer == p.Local || p.Peer.Is4() != p.Local.Is4() || pairs[p.Pair] {
			t.Errorf("the session is %+v", p)
		}
		pairs[p.Pair] = true
	}
}
