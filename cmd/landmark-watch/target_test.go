package main

import (
	"io"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	for s, want := range map[string]target{
		"rs1=10.0.0.7:19533/epg":                 {"rs1", "10.0.0.7:19533", "epg", 0},
		"rs1=10.0.0.7:19533/":                    {"rs1", "10.0.0.7:19533", "", 0},
		"rs1=10.0.0.7:19533/,weight=1":           {"rs1", "10.0.0.7:19533", "", 1},
		"A.b_c-9=[2001:db8::7]:1/epg,weight=253": {"A.b_c-9", "[2001:db8::7]:1", "epg", 253},
		"r=[fe80::1%eth0]:65535/a/b=c":           {"r", "[fe80::1%eth0]:65535", "a/b=c", 0},
		"r=rs1.example.net:19533/epg-liveness":   {"r", "rs1.example.net:19533", "epg-liveness", 0},
		strings.Repeat("n", 240) + "=h:1/s":      {strings.Repeat("n", 240), "h:1", "s", 0},
		"r=h:1/" + strings.Repeat("s", 255):      {"r", "h:1", strings.Repeat("s", 255), 0},
		"rs1.tmp=10.0.0.7:19533/epg":             {"rs1.tmp", "10.0.0.7:19533", "epg", 0},
	} {
		if got, err := parseTarget(s); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", s, got, err, want)
		}
	}
	for s, says := range map[string]string{
		"":                                  "NAME=HOST:PORT/SERVICE",
		"rs1":                               "NAME=HOST:PORT/SERVICE",
		"rs1=10.0.0.7:19533":                "end it with the /",
		"10.0.0.7:19533/epg":                "NAME=HOST:PORT/SERVICE",
		"=10.0.0.7:19533/epg":               "empty",
		".=10.0.0.7:19533/epg":              "begin with",
		"..=10.0.0.7:19533/epg":             "begin with",
		".rs1.tmp=10.0.0.7:19533/epg":       "begin with",
		"-rs1=10.0.0.7:19533/epg":           "begin with",
		"a b=10.0.0.7:19533/epg":            `' '`,
		"a\x00=10.0.0.7:19533/epg":          `'\x00'`,
		strings.Repeat("n", 241) + "=h:1/":  "240 at most",
		"r=10.0.0.7/epg":                    "HOST:PORT",
		"r=:19533/epg":                      "HOST:PORT",
		"r=h:0/epg":                         "HOST:PORT",
		"r=h:65536/epg":                     "HOST:PORT",
		"r=h:http/epg":                      "HOST:PORT",
		"r=2001:db8::7:19533/epg":           "[2001:db8::7]",
		"r=h:1/" + strings.Repeat("s", 256): "255",
		"r=h:1/s,":                          "weight=N",
		"r=h:1/s,weight=":                   "weight=N",
		"r=h:1/s,weight=0":                  "1 to 253",
		"r=h:1/s,weight=254":                "1 to 253",
		"r=h:1/s,weight=-1":                 "1 to 253",
		"r=h:1/s,weight=1,weight=2":         "1 to 253",
		"r=h:1/s,rise=2":                    "weight=N",
	} {
		if got, err := parseTarget(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v; want an error that says %q", s, got, err, says)
		}
	}
}

func TestBadFlags(t *testing.T) {
	for args, says := range map[string]string{
		"":                                     "-dir is missing",
		"-dir d":                               "-target is missing",
		"-target a=h:1/":                       "-dir is missing",
		"-dir d -target a=h:1/ b":              "unexpected argument",
		"-dir d -target a=h:1/ -target a=h:2/": "a is given twice",
		"-dir d -target a=h:1/ -key-file none": "none",
		"-dir d -target a":                     "NAME=HOST:PORT/SERVICE",
		"-no-such-flag":                        "no-such-flag",
	} {
		if _, err := parseFlags(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want an error that says %q", args, err, says)
		}
	}
}
