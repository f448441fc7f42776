package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParseTable(t *testing.T) {
	const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000250:1518 rr 
  -> C633640B:1518      Masq    1      2          12        
  -> C633640C:1518      Masq    0      0          0         
TCP  C0000251:1518 rr 
UDP  C0000252:1518 rr 
  -> C633640B:1518      Masq    1      0          0         
`
	got, err := parseTable(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	service := netip.MustParseAddrPort("192.0.2.80:5400")
	want := []tableEntry{
		{service: service, server: netip.MustParseAddrPort("198.51.100.11:5400"), weight: 1},
		{service: service, server: netip.MustParseAddrPort("198.51.100.12:5400"), weight: 0},
	}
	if !slices.Equal(got, want) {
		t.Errorf("parsed table:\ngot  %v\nwant %v", got, want)
	}
}

func TestParseTableRejectsUnknownFormat(t *testing.T) {
	for _, text := range []string{
		"TCP  [2001:0db8::0050]:1518 rr ",
		"TCP  C0000250:1518 rr \n  -> C633640B      Masq    1      2          12",
		"TCP  C0000250:1518 rr \n  -> C633640B:1518      Masq    many      2          12",
	} {
		if got, err := parseTable(strings.NewReader(text)); err == nil {
			t.Errorf("parseTable(%q) = %v, want an error", text, got)
		}
	}
}
