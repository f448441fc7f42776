package socket

import (
	"net/netip"
	"testing"
)

func TestClientOfARequest(t *testing.T) {
	for from, want := range map[string]string{
		"10.0.0.1:4711":                "10.0.0.1/32",
		"[::ffff:10.0.0.1]:4711":       "10.0.0.1/32",
		"[2001:db8::1]:4711":           "2001:db8::/64",
		"[fe80::1%eth0]:4711":          "fe80::/64",
		"@":                            netip.Prefix{}.String(),
		"[2001:db8:0:0:ffff::2]:65535": "2001:db8::/64",
	} {
		if got := ClientOf(from).String(); got != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
}
