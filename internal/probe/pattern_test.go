package probe

import (
	"strings"
	"testing"
)

func must(t testing.TB, p Pattern, err error) Pattern {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t testing.TB, s string) Pattern    { p, err := Text(s); return must(t, p, err) }
func hexes(t testing.TB, s string) Pattern   { p, err := Hex(s); return must(t, p, err) }
func regexps(t testing.TB, s string) Pattern { p, err := Regexp(s); return must(t, p, err) }

// Each pattern gives the same for a stream however it is cut, and takes as many bytes.
func TestPatternMatchesStream(t *testing.T) {
	for _, tt := range []struct {
		pattern  Pattern
		received string
		takes    int // -1 = it mismatches, -2 = undecided
	}{
		{text(t, "VERSION "), "VERSION 1.6.18\r\n", 8},
		{text(t, "VERSION "), "ERROR\r\n", -1},
		{text(t, "VERSION "), "VERS", -2},
		{text(t, "VERSION "), "VERT", -1},
		{text(t, "é"), "\xc3\xa9", 2},
		{hexes(t, "81 0b 00XX xx"), "\x81\x0b\x00\xff\x00\x01", 5},
		{hexes(t, "810b00"), "\x81\x0c\x00", -1},
		{hexes(t, "XX 01"), "\xff", -2},
		{hexes(t, "XX 01"), "\xff\x02", -1},
		{regexps(t, `VERSION [0-9.]+`), "VERSION 1.6.18\r\n", 9}, // the shortest
		{regexps(t, `VERSION [0-9.]+\r\n`), "VERSION 1.6.18\r\nEND", 16},
		{regexps(t, `^220 .*\n`), "220 mail ESMTP\r\n250 ok\r\n", 16},
		{regexps(t, `^220 `), "421 220 \r\n", -2},
		{regexps(t, `220 `), "421 220 \r\n", 8},
		{regexps(t, `(?m)^220 `), "220-a\r\n220 b", 11},
		{regexps(t, `[^é]`), "é", -2}, // not the first byte of it
		{regexps(t, `[^é]`), "éa", 3},
		{regexps(t, `\xff`), "\xff\xff", -2}, // U+00FF, not the byte
		{regexps(t, `.`), "\xe2", -2},
		{regexps(t, `.`), "\xe2(", 1},
	} {
		n, r := tt.pattern.match([]byte(tt.received), false)
		got := n
		switch r {
		case mismatched:
			got = -1
		case undecided:
			got = -2
		}
		if got != tt.takes {
			t.Errorf("%s of %q: got %d, want %d", tt.pattern, tt.received, got, tt.takes)
		}
	}
}

// A datagram has an end.
func TestPatternMatchesDatagram(t *testing.T) {
	for _, tt := range []struct {
		pattern  Pattern
		received string
		want     result
	}{
		{text(t, "pong"), "pong\n", matched},
		{text(t, "pong"), "pon", mismatched},
		{text(t, "pong"), "", mismatched},
		{hexes(t, "XX"), "", mismatched},
		{regexps(t, `^pong$`), "pong", matched},
		{regexps(t, `^pong$`), "pong\n", mismatched},
		{regexps(t, `\bpong\b`), "ping pong", matched},
	} {
		if _, got := tt.pattern.match([]byte(tt.received), true); got != tt.want {
			t.Errorf("%s of %q: got %d, want %d", tt.pattern, tt.received, got, tt.want)
		}
	}
}

func TestPatternsAreRefused(t *testing.T) {
	make := func(f func(string) (Pattern, error)) func(string) error {
		return func(s string) error { _, err := f(s); return err }
	}
	for _, tt := range []struct {
		make       func(string) error
		text, want string
	}{
		{make(Text), "", "is empty"},
		{make(Text), strings.Repeat("x", MaxStep+1), "has 4097 bytes: use 4096 at most"},
		{make(Hex), " ", "is empty"},
		{make(Hex), "012", "odd number of digits"},
		{make(Hex), "0g", `has "0g", which is no byte in hex`},
		{make(Hex), "X1", `has "X1", which is no byte in hex`},
		{make(Hex), "ähh", `which is no byte in hex`},
		{make(Regexp), "(", "is not an RE2 pattern: missing closing )"},
		{make(Regexp), `(?=a)`, "is not an RE2 pattern: invalid or unsupported Perl syntax"},
		{make(Regexp), "", "matches even if nothing is received"},
		{make(Regexp), ".*", "matches even if nothing is received"},
		{make(Regexp), "^$", "matches even if nothing is received"},
		{make(Regexp), "(abcdefgh){32}", "is too large a pattern"},
		{make(Regexp), "(((a{100}){100}){100}){100}", "is not an RE2 pattern"},
		{make(Regexp), strings.Repeat("x", maxRegexp+1), "has 1025 bytes: use 1024 at most"},
		{func(s string) error { return Step{Expect: regexps(t, s)}.On(TCP) }, "OK$", "a stream has no end"},
		{func(s string) error { return Step{Expect: regexps(t, s)}.On(Unix) }, `(?m:(a|OK$))`, "a stream has no end"},
		{func(s string) error { return Step{Expect: regexps(t, s)}.On(TCP) }, `OK\b`, "a stream has no end"},
		{func(s string) error { return Step{Expect: regexps(t, s)}.On(TCP) }, `OK\B`, "a stream has no end"},
		{func(s string) error { _, err := Bytes(s); return err }, "0x80", "is not bytes in hex"},
		{func(s string) error { _, err := Bytes(s); return err }, "", "is empty"},
		{CheckSend, "", "is empty"},
	} {
		if err := tt.make(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40q: got error %v, want %q", tt.text, err, tt.want)
		}
	}
	for _, s := range []string{"OK$", "^OK", `(?m)^OK`} {
		if err := (Step{Expect: regexps(t, s)}).On(UDP); err != nil {
			t.Errorf("%q on UDP: %v", s, err)
		}
	}
	if err := (Step{Expect: regexps(t, "^OK")}).On(TCP); err != nil {
		t.Error(err)
	}
}
