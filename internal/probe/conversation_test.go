package probe

import (
	"strings"
	"testing"
	"time"
)

// drive takes the steps with a stream that arrives in pieces, each when the steps wait
// for it. It returns what was sent, and the error.
func drive(c *Check, pieces ...string) (sent string, err error) {
	v := c.Converse()
	for err == nil && !v.Done() {
		if b := v.Send(); b != nil {
			sent += string(b)
			err = v.Sent()
			continue
		}
		if len(pieces) == 0 {
			return sent, v.Late(time.Second)
		}
		err = v.Receive([]byte(pieces[0]))
		pieces = pieces[1:]
	}
	return sent, err
}

func send(s string) Step      { return Step{Send: []byte(s)} }
func expect(p Pattern) Step   { return Step{Expect: p} }
func split(s string) []string { return strings.Split(s, "") }

func TestConversation(t *testing.T) {
	memcached := &Check{Network: TCP, Steps: []Step{send("version\r\n"), expect(text(t, "VERSION "))}}
	smtp := &Check{Network: TCP, Steps: []Step{
		expect(regexps(t, `^220 .*\n`)), send("NOOP\r\n"), expect(text(t, "250")), expect(regexps(t, `\n`)), send("QUIT\r\n"),
	}}
	binary := &Check{Network: UDP, Steps: []Step{{Send: []byte{1, 2}}, expect(hexes(t, "01 XX 00")), {Send: []byte{3}}, expect(regexps(t, "^b$"))}}
	for _, tt := range []struct {
		name   string
		check  *Check
		pieces []string
		sent   string
		err    string
	}{
		{"one piece", memcached, []string{"VERSION 1.6\r\n"}, "version\r\n", ""},
		{"byte by byte", memcached, split("VERSION 1.6\r\n"), "version\r\n", ""},
		{"wrong", memcached, []string{"ERROR\r\n"}, "version\r\n", `step 2: received "ERROR\r\n", expected "VERSION "`},
		{"wrong byte by byte", memcached, split("VERTEX"), "version\r\n", `step 2: received "VERT", expected "VERSION "`},
		{"nothing", memcached, nil, "version\r\n", `step 2: no answer within 1 s, expected "VERSION "`},
		{"too little", memcached, []string{"VER"}, "version\r\n", `step 2: received only "VER" within 1 s, expected "VERSION "`},
		{"unprintable", memcached, []string{"\x1b[2J\xff\u202e" + strings.Repeat("\x00", 99)}, "version\r\n",
			`step 2: received "\x1b[2J\xff\u202e` + strings.Repeat(`\x00`, 24) + `"…, expected "VERSION "`},
		{"several steps", smtp, []string{"220 mail\r", "\n", "250 2.0.0 Ok\r\n"}, "NOOP\r\nQUIT\r\n", ""},
		{"all at once", smtp, []string{"220 mail\r\n250 2.0.0 Ok\r\n"}, "NOOP\r\nQUIT\r\n", ""},
		{"received too early", smtp, []string{"220 mail\r\n500"}, "NOOP\r\n", `step 3: received "500", expected "250"`},
		{"no match yet", smtp, []string{"421 busy\r\n"}, "", `step 1: received only "421 busy\r\n" within 1 s, expected a match of "^220 .*\\n"`},
		{"no match at all", smtp, []string{strings.Repeat("x", MaxReceived), "x"}, "", `step 1: no match in the first 16384 bytes, expected a match of "^220 .*\\n"`},
		{"datagrams", binary, []string{"\x01\x07\x00 more", "b"}, "\x01\x02\x03", ""},
		{"one datagram for two", binary, []string{"\x01\x07\x00b"}, "\x01\x02\x03", `step 4: no answer within 1 s, expected a match of "^b$"`},
		{"short datagram", binary, []string{"\x01\x07"}, "\x01\x02", `step 2: received 01 07, expected 01 XX 00`},
		{"empty datagram", binary, []string{""}, "\x01\x02", `step 2: received , expected 01 XX 00`},
	} {
		sent, err := drive(tt.check, tt.pieces...)
		if sent != tt.sent {
			t.Errorf("%s: sent %q, want %q", tt.name, sent, tt.sent)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.err {
			t.Errorf("%s: got error %s, want %s", tt.name, got, tt.err)
		}
	}
	v := smtp.Converse()
	if got, want := v.End().Error(), `step 1: the program closed the connection, expected a match of "^220 .*\\n"`; got != want {
		t.Errorf("at the end: got %s, want %s", got, want)
	}
	v = memcached.Converse()
	if got, want := v.Late(time.Second).Error(), `step 1: the program did not read what was sent within 1 s`; got != want {
		t.Errorf("while sending: got %s, want %s", got, want)
	}
}

func TestCheckNeedsAnExpectation(t *testing.T) {
	if err := CheckSteps([]Step{send("x")}); err == nil || !strings.Contains(err.Error(), "an open port alone") {
		t.Errorf("got error %v", err)
	}
	if err := CheckSteps([]Step{expect(text(t, "x"))}); err != nil {
		t.Error(err)
	}
}

// Checks that differ in what they ask or when are not equal.
func TestEqual(t *testing.T) {
	with := func(change func(*Check)) *Check {
		c := &Check{Network: TCP, Address: "localhost:1", Every: 1, Within: 1, Fall: 1, Rise: 1, Steps: []Step{send("a"), expect(text(t, strings.Repeat("x", 99)+"b"))}}
		change(c)
		return c
	}
	same := func(*Check) {}
	if !with(same).Equal(with(same)) || !with(same).AsksAs(with(same)) {
		t.Error("two equal checks differ")
	}
	for i, change := range []func(*Check){
		func(c *Check) { c.Every++ }, func(c *Check) { c.Within++ }, func(c *Check) { c.Fall++ }, func(c *Check) { c.Rise++ },
		func(c *Check) { c.Network = UDP }, func(c *Check) { c.Address = "localhost:2" },
		func(c *Check) { c.Steps[0] = send("b") }, func(c *Check) { c.Steps = c.Steps[1:] },
		func(c *Check) { c.Steps[0] = c.Steps[1] },
		func(c *Check) { c.Steps[1] = expect(text(t, strings.Repeat("x", 99)+"c")) },
		func(c *Check) { c.Steps[1] = expect(hexes(t, "78")) },
	} {
		if d := with(change); d.Equal(with(same)) || with(same).Equal(d) || d.AsksAs(with(same)) != (i < 4) {
			t.Errorf("change %d is not noticed", i)
		}
	}
}

// The bytes decide, not how they are cut. Nothing that a program sends makes the steps
// panic, succeed without a match, or keep more than they may.
func FuzzConversation(f *testing.F) {
	f.Add([]byte("220 mail\r\n250 ok"), uint16(3))
	f.Add([]byte("\xe2\x82220 é\n250\xff\n"), uint16(1))
	f.Add([]byte("2"), uint16(0))
	checks := []*Check{
		{Network: TCP, Steps: []Step{expect(regexps(f, `(?i)2[0-9é]+ .*\n|^\+|[^\x00-\x7f]`)), send("x"), expect(text(f, "25")), expect(hexes(f, "XXXX"))}},
		{Network: TCP, Steps: []Step{send("x"), expect(hexes(f, "32 XX 30")), expect(regexps(f, "[^2]\n?"))}},
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		stream = stream[:min(len(stream), 300)] // the time grows with the square
		for _, c := range checks {
			whole, wholeErr := drive(c, string(stream))
			var pieces []string
			for rest := stream; len(rest) > 0; {
				n := min(len(rest), int(cut%7)+1)
				pieces, rest = append(pieces, string(rest[:n])), rest[n:]
			}
			sent, err := drive(c, pieces...)
			if sent != whole || (err == nil) != (wholeErr == nil) {
				t.Fatalf("%q in pieces of %d: sent %q, error %v; as a whole: sent %q, error %v", stream, cut%7+1, sent, err, whole, wholeErr)
			}
			if err != nil && (len(err.Error()) > 240 || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' || r > '~' && r != '…' })) {
				t.Errorf("the reason %q cannot be shown", err)
			}
		}
		if _, err := drive(&Check{Network: UDP, Steps: []Step{expect(text(t, "ok"))}}, string(stream)); (err == nil) != strings.HasPrefix(string(stream), "ok") {
			t.Errorf("the datagram %q: %v", stream, err)
		}
	})
}

// No text makes the makers of patterns panic, and what they accept matches no empty
// input.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"81 XX", "^a|b$", `\xff{2}`, "(?i)É+", "[^a]"} {
		f.Add(s, []byte("ab"))
	}
	f.Add(".", []byte("\xe8\xe8")) // the beginnings of two characters
	f.Fuzz(func(t *testing.T, s string, received []byte) {
		received = received[:min(len(received), 1000)]
		for _, make := range []func(string) (Pattern, error){Text, Hex, Regexp} {
			p, err := make(s)
			if err != nil || (Step{Expect: p}).On(TCP) != nil {
				continue
			}
			for _, whole := range []bool{false, true} {
				if _, r := p.match(nil, whole); r == matched {
					t.Errorf("%s matches nothing", p)
				}
				n, r := p.match(received, whole)
				if r == matched && (n < 1 || n > len(received)) {
					t.Errorf("%s takes %d bytes of %q", p, n, received)
				}
				if again, r2 := p.match(append(received[:len(received):len(received)], "x\n"...), false); !whole && r == matched && (r2 != matched || again != n) {
					t.Errorf("%s takes %d bytes of %q, and %d if more follow", p, n, received, again)
				}
			}
		}
	})
}
