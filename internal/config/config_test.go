package config

import (
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

var update = flag.Bool("update", false, "write the present errors to testdata/problems.txt")

// byValue compares addresses by value.
var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// policy returns the default policy, changed.
func policy(change func(*registry.Policy)) registry.Policy {
	p := registry.DefaultPolicy
	change(&p)
	return p
}

func TestParse(t *testing.T) {
	twoSeconds := policy(func(p *registry.Policy) { p.FallAfter = 2 * time.Second })
	for _, test := range []struct {
		name string
		yaml string
		want map[string]registry.Policy
	}{
		{"empty", "", nil},
		{"only a comment", "# nothing yet\n", nil},
		{"only a document's marks", "---\n...\n", nil},
		{"no services", "services:\n", nil},
		{"no services, in brackets", "services: {}\n", nil},
		{
			"a service without keys", "services:\n  epg:\n",
			map[string]registry.Policy{"epg": registry.DefaultPolicy},
		},
		{
			"every key", `
services:
  epg:
    stale_after: 2s
    forget_after: 720h
    instances: at_least 3
    fall_after: 1.5s
    recover_after: 1h
    slow_start: 1m30s
    max_age: 1ms
    ask_timeout: 800ms
    landmarks:
      main loop:
        impact: readiness
        within: 24h
        start_within: 0
        ttl: 30s
        degrade_at: 1e3
        fail_at: -0.5
`,
			map[string]registry.Policy{"epg": {
				Policy: judge.Policy{
					StaleAfter:   2 * time.Second,
					ForgetAfter:  720 * time.Hour,
					Quorum:       judge.Quorum{AtLeast: 3},
					FallAfter:    1500 * time.Millisecond,
					RecoverAfter: time.Hour,
					SlowStart:    90 * time.Second,
				},
				MaxAge:      time.Millisecond,
				PollTimeout: 800 * time.Millisecond,
				Landmarks: map[string]registry.Override{"main loop": {
					Impact:      new(judge.ImpactReadiness),
					Within:      new(24 * time.Hour),
					StartWithin: new(time.Duration(0)),
					TTL:         new(30 * time.Second),
					DegradeAt:   new(1000.0),
					FailAt:      new(-0.5),
				}},
			}},
		},
		{
			"landmarks of the host", `
services:
  epg:
    instances: none
    host:
      vip: {address: "::ffff:192.0.2.80", direct_routing: true}
      vip6: {address: 2001:db8::80, impact: informational, direct_routing: false}
      port: {listening: 5400}
      port of one: {listening: 10.0.0.7:5400, impact: degrading}
      queue: {accept_queue: "[::]:5400"}
      slow queue: {accept_queue: 5400, within: 100ms, impact: readiness}
      dns: {bound: "127.0.0.1:53"}
      datagrams: {receive_queue: 53}
`,
			map[string]registry.Policy{"epg": policy(func(p *registry.Policy) {
				p.Quorum = judge.NoneNeeded
				condition := func(name string, impact judge.Impact) judge.Declared {
					return judge.Declared{Name: name, Kind: judge.KindCondition, Impact: impact}
				}
				queue := func(name string, impact judge.Impact, within time.Duration) judge.Declared {
					return judge.Declared{Name: name, Kind: judge.KindDeadline, Impact: impact, Within: within}
				}
				anywhere := netip.AddrPortFrom(netip.Addr{}, 5400)
				p.Host = []registry.HostLandmark{
					{Declared: condition("vip", judge.ImpactReadiness), Address: netip.MustParseAddr("192.0.2.80"), DirectRouting: true},
					{Declared: condition("vip6", judge.ImpactInformational), Address: netip.MustParseAddr("2001:db8::80")},
					{Declared: condition("port", judge.ImpactReadiness), Port: anywhere},
					{Declared: condition("port of one", judge.ImpactDegrading), Port: netip.MustParseAddrPort("10.0.0.7:5400")},
					{Declared: queue("queue", judge.ImpactCritical, 2*time.Second), Port: netip.MustParseAddrPort("[::]:5400")},
					{Declared: queue("slow queue", judge.ImpactReadiness, 100*time.Millisecond), Port: anywhere},
					{Declared: condition("dns", judge.ImpactReadiness), Port: netip.MustParseAddrPort("127.0.0.1:53"), UDP: true},
					{Declared: queue("datagrams", judge.ImpactCritical, 2*time.Second), Port: netip.AddrPortFrom(netip.Addr{}, 53), UDP: true},
				}
			})},
		},
		{
			"names of quorums", "services: {a: {instances: all}, b: {instances: any}, c: {instances: at_least 1024}}",
			map[string]registry.Policy{
				"a": registry.DefaultPolicy,
				"b": policy(func(p *registry.Policy) { p.Quorum = judge.Any }),
				"c": policy(func(p *registry.Policy) { p.Quorum.AtLeast = registry.MaxInstances }),
			},
		},
		{
			"names that have another YAML type", "services:\n  1.0: {}\n  0x10: {}\n  true: {}\n  \"null\": {}\n",
			map[string]registry.Policy{
				"1.0": registry.DefaultPolicy, "0x10": registry.DefaultPolicy,
				"true": registry.DefaultPolicy, "null": registry.DefaultPolicy,
			},
		},
		{
			"quotes, comments, CRLF and a byte order mark",
			"\ufeff# comment\r\n'services':\r\n  \"epg\": # one\r\n    fall_after: \"2s\"\t# two\t\r\n  \r\n",
			map[string]registry.Policy{"epg": twoSeconds},
		},
		{
			"an anchor's mapping", "services:\n  a: &all\n    fall_after: 2s\n  b: *all\n",
			map[string]registry.Policy{"a": twoSeconds, "b": twoSeconds},
		},
		{
			"an anchor's scalar", "services:\n  a:\n    fall_after: &t 2s\n  b:\n    fall_after: *t\n",
			map[string]registry.Policy{"a": twoSeconds, "b": twoSeconds},
		},
		{
			"an anchor set again", "services:\n  a: &x {fall_after: 1h}\n  b: &x {fall_after: 2s}\n  c: *x\n",
			map[string]registry.Policy{
				"a": policy(func(p *registry.Policy) { p.FallAfter = time.Hour }), "b": twoSeconds, "c": twoSeconds,
			},
		},
		{
			"a merge, which does not override keys",
			"services:\n  a: &x {fall_after: 1h, slow_start: 1s}\n  b:\n    <<: *x\n    fall_after: 2s\n",
			map[string]registry.Policy{
				"a": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = time.Hour, time.Second }),
				"b": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = 2*time.Second, time.Second }),
			},
		},
		{
			"a merge of several; the first counts",
			"services:\n  a: &x {fall_after: 2s}\n  b: &y {fall_after: 1h, slow_start: 1s}\n  c: {<<: [*x, *y]}\n",
			map[string]registry.Policy{
				"a": twoSeconds,
				"b": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = time.Hour, time.Second }),
				"c": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = 2*time.Second, time.Second }),
			},
		},
		{
			"names of impacts",
			"services: {epg: {landmarks: {a: {impact: critical}, b: {impact: degrading}, c: {impact: informational}}}}",
			map[string]registry.Policy{"epg": policy(func(p *registry.Policy) {
				p.Landmarks = map[string]registry.Override{
					"a": {Impact: new(judge.ImpactCritical)},
					"b": {Impact: new(judge.ImpactDegrading)},
					"c": {Impact: new(judge.ImpactInformational)},
				}
			})},
		},
		{
			"landmarks of the whole range of names",
			"services:\n  epg:\n    landmarks:\n      " + strings.Repeat("x", 128) + ":\n      \"größe: 1\": {fail_at: 3}\n",
			map[string]registry.Policy{"epg": policy(func(p *registry.Policy) {
				p.Landmarks = map[string]registry.Override{
					strings.Repeat("x", 128): {}, "größe: 1": {FailAt: new(3.0)},
				}
			})},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse("landmarkd.yaml", []byte(test.yaml))
			if err != nil {
				t.Fatal(err)
			}
			if test.want == nil {
				test.want = map[string]registry.Policy{}
			}
			if diff := cmp.Diff(test.want, got.Services, byValue); diff != "" {
				t.Errorf("the policies differ (-want +got):\n%s", diff)
			}
			checkFile(t, got)
		})
	}
}

// problemCase is a file with problems, and the expected error.
type problemCase struct {
	name, src, want string
}

// goldenProblems has the cases: "=== NAME", the file, "=>", and the error.
const goldenProblems = "testdata/problems.txt"

func readCases(t testing.TB) []problemCase {
	t.Helper()
	text, err := os.ReadFile(goldenProblems)
	if err != nil {
		t.Fatal(err)
	}
	var cases []problemCase
	for _, section := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		src, want, found := strings.Cut(rest, "\n=>\n")
		if !found {
			t.Fatalf("%s: there is no line with => after the file", name)
		}
		cases = append(cases, problemCase{name, src + "\n", strings.TrimRight(want, "\n")})
	}
	return cases
}

// TestProblemsAreReported checks the error for each problem that a file can have.
func TestProblemsAreReported(t *testing.T) {
	var now []string
	for _, c := range readCases(t) {
		t.Run(c.name, func(t *testing.T) {
			file, err := parse("landmarkd.yaml", []byte(c.src))
			if err == nil {
				t.Fatalf("there is no error, but %v", file)
			}
			if file.Services != nil || file.Gates != nil || file.Peerings != nil {
				t.Errorf("there are both an error and a configuration: %v", file)
			}
			now = append(now, fmt.Sprintf("=== %s\n%s=>\n%s\n", c.name, c.src, err))
			if diff := cmp.Diff(c.want, err.Error()); diff != "" && !*update {
				t.Errorf("the error differs (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(goldenProblems, []byte(strings.Join(now, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestUnprintableProblemsAreReported checks the errors for files that
// testdata/problems.txt cannot contain.
func TestUnprintableProblemsAreReported(t *testing.T) {
	for _, test := range []struct {
		name string
		yaml string
		want string // a line of the error
	}{
		{"not UTF-8", "services:\n  épg\xff:\n", "f:2:6: this is not UTF-8: save the file as UTF-8"},
		{"UTF-16", "\xff\xfes\x00", "f:1:1: this is not UTF-8: save the file as UTF-8"},
		{"NUL", "services:\r\n  a: \x00\n", "f:2:6: this is the control character U+0000: remove it"},
		{"escape", "# \x1b[2J", "f:1:3: this is the control character U+001B: remove it"},
		{"escape is not shown", "# \x1b[2J", "       1 | # \ufffd[2J"},
		{"tab", "services:\n\tepg:\n", "f:2:1: a tab indents this line: use spaces"},
		{"tab in an empty line", "services:\n\t\n", "f:2:1: a tab indents this line: use spaces"},
		{"tab after spaces", "services:\n  \tepg:\n", "f:2:3: a tab indents this line: use spaces"},
		{"line ends of CR", "services:\r  epg:\r    x: 1\r", "f:3:5: services.epg.x: is not a key here: use one of " + list(serviceKeys)},
		{
			"long name", "services:\n  " + strings.Repeat("e", 91) + ":\n",
			`f:2:3: services.` + strings.Repeat("e", 91) + `: "eeeeeeeeeeeeeeeeeeee"… is 91 bytes long: use 90 at most`,
		},
		{
			"long name of a landmark", "services: {epg: {landmarks: {" + strings.Repeat("e", 129) + ": }}}",
			`f:1:30: services.epg.landmarks."` + strings.Repeat("e", 128) + `"…: "eeeeeeeeeeeeeeeeeeee"… is 129 bytes long: use 128 at most`,
		},
		{
			"end of a long line", "services: {a: " + strings.Repeat(" ", 300) + "x" + strings.Repeat(" ", 90) + "}",
			"       1 | …" + strings.Repeat(" ", 50) + "x" + strings.Repeat(" ", 48) + "…",
		},
		{
			"pointer at the end of a long line", "services: {a: " + strings.Repeat(" ", 300) + "x" + strings.Repeat(" ", 90) + "}",
			"         | " + strings.Repeat(" ", 51) + "^",
		},
		{
			"nested in brackets", "services: " + strings.Repeat("[", maxNesting),
			"f:1:26: this is nested more than 16 deep: no key needs more than 5",
		},
		{
			"nested in a line", strings.Repeat("- ", maxNesting+1),
			"f:1:33: this is nested more than 16 deep: no key needs more than 5",
		},
		{
			"nested by indentation", staircase(maxNesting + 1),
			"f:17:17: this is nested more than 16 deep: no key needs more than 5",
		},
		{
			"many lines", "services:\n" + strings.Repeat("#\n", maxLines),
			"f:20001:1: the file has too many lines: use 20000 at most",
		},
		{
			"many keys", "services: {\n" + strings.Repeat("a: ,\n", maxEntries/2) + "}",
			"f:10001:4: the file has too many keys: use 20000 at most",
		},
		{
			"many words", strings.Repeat("'x' ", maxTokens+1),
			"f:1:400001: the file has too many keys: use 20000 at most",
		},
		{
			"many keys from anchors", "services:\n  a: &a\n    landmarks: &l\n" + numbered("      ", 1000) + uses(30),
			"f:4:7: services.s18.landmarks: there are more than 20000 keys here, with those of anchors counted at each use: use fewer",
		},
		{
			"many services", "services:\n" + numbered("  ", registry.MaxServices+1),
			"f:2:3: services: has 10001 services: use 10000 at most",
		},
		{"many problems", "services: {}\n" + numbered("", 15), "f: and 5 more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := parse("f", []byte(test.yaml))
			if err == nil {
				t.Fatal("there is no error")
			}
			if !strings.Contains("\n"+err.Error()+"\n", "\n"+test.want+"\n") {
				t.Errorf("the error does not have %q:\n%.2000s", test.want, err)
			}
		})
	}
}

// staircase returns nested mappings, depth deep.
func staircase(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%*sa:\n", i, "")
	}
	return b.String()
}

// numbered returns n keys of a mapping.
func numbered(indent string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sn%d:\n", indent, i)
	}
	return b.String()
}

// uses returns n services with the landmarks of the anchor l.
func uses(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  s%d: {landmarks: *l}\n", i)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "landmarkd.yaml")
	if err := os.WriteFile(path, []byte("services: {epg: {slow_start: 1m}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want := File{Services: map[string]registry.Policy{"epg": policy(func(p *registry.Policy) { p.SlowStart = time.Minute })}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the policies differ (-want +got):\n%s", diff)
	}
}

func TestReadRejectsFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := file("wrong.yaml", "service:\n")
	for _, test := range []struct {
		name, path, want string
	}{
		{"missing", filepath.Join(dir, "none"), "reading configuration: stat " + dir + "/none: no such file or directory"},
		{"a directory", dir, "reading configuration: " + dir + " is not a regular file"},
		{"a pipe", pipe, "reading configuration: " + pipe + " is not a regular file"},
		{"a device", "/dev/zero", "reading configuration: /dev/zero is not a regular file"},
		{
			"too long", file("long.yaml", strings.Repeat("#", maxSize+1)),
			"reading configuration: " + dir + "/long.yaml is over 1 MiB long: is it the right file?",
		},
		{
			"wrong", wrong,
			wrong + ":1:1: service: is not a key here: use one of services, bfd\n       1 | service:\n         | ^",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Read(test.path)
			if err == nil {
				t.Fatalf("there is no error, but %v", got)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("the error differs (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Read(file("longest.yaml", strings.Repeat("#", maxSize))); err != nil {
		t.Errorf("a file of 1 MiB: %v", err)
	}
}

// checkFile checks that a configuration is in range, independently of the code that
// reads it.
func checkFile(t *testing.T, file File) {
	t.Helper()
	services, ports := file.Services, make(map[netip.AddrPort]bool)
	for _, g := range file.Gates {
		_, known := services[g.Service]
		if !known || ports[g.Address] || g.Address.Port() == 0 || !g.Address.Addr().IsValid() || g.Address.Addr().Is4In6() || g.Aspect >= judge.Aspect(judge.Aspects) {
			t.Errorf("the gates are %v", file.Gates)
		}
		ports[g.Address] = true
	}
	check := func(name, key string, ok bool, value any) {
		t.Helper()
		if !ok {
			t.Errorf("%s: %s is %v", name, key, value)
		}
	}
	within := func(d, lowest, highest time.Duration) bool { return lowest <= d && d <= highest }
	for name, p := range services {
		check(name, "name", contract.CheckServiceName(name) == nil, name)
		check(name, "stale_after", within(p.StaleAfter, 500*time.Millisecond, time.Hour), p.StaleAfter)
		check(name, "forget_after", within(p.ForgetAfter, time.Second, 30*24*time.Hour), p.ForgetAfter)
		check(name, "instances", 0 <= p.Quorum.AtLeast && p.Quorum.AtLeast <= 1024, p.Quorum)
		check(name, "none", !p.Quorum.NoneNeeded || p.Quorum.AtLeast == 0 && len(p.Host) > 0, p.Quorum)
		for _, l := range p.Host {
			check(name, "landmark's name", 1 <= len(l.Name) && len(l.Name) <= 128, l.Name)
			check(name, "impact", 1 <= l.Impact && l.Impact <= 4, l.Impact)
			if l.Probe != nil {
				checkProbe(t, l)
				continue
			}
			check(name, "ttl", l.TTL == 0, l.TTL)
			check(name, "within", l.Kind == judge.KindCondition && l.Within == 0 ||
				l.Kind == judge.KindDeadline && within(l.Within, 100*time.Millisecond, time.Hour), l.Within)
			check(name, "place", l.Address.IsValid() != (l.Port.Port() > 0), l)
			check(name, "protocol", !l.UDP || l.Port.Port() > 0, l.UDP)
			check(name, "direct_routing", !l.DirectRouting || l.Address.IsValid(), l.DirectRouting)
		}
		check(name, "fall_after", within(p.FallAfter, 0, time.Hour), p.FallAfter)
		check(name, "recover_after", within(p.RecoverAfter, 0, time.Hour), p.RecoverAfter)
		check(name, "slow_start", within(p.SlowStart, 0, time.Hour), p.SlowStart)
		check(name, "max_age", p.MaxAge == 0 || within(p.MaxAge, time.Millisecond, 24*time.Hour), p.MaxAge)
		check(name, "ask_timeout", p.PollTimeout == 0 ||
			within(p.PollTimeout, 10*time.Millisecond, 800*time.Millisecond), p.PollTimeout)
		for landmark, o := range p.Landmarks {
			check(name, "landmark's name", 1 <= len(landmark) && len(landmark) <= 128, landmark)
			check(name, "impact", o.Impact == nil || 1 <= *o.Impact && *o.Impact <= 4, o.Impact)
			check(name, "within", o.Within == nil || within(*o.Within, time.Millisecond, 24*time.Hour), o.Within)
			check(name, "start_within", o.StartWithin == nil || within(*o.StartWithin, 0, 24*time.Hour), o.StartWithin)
			check(name, "ttl", o.TTL == nil || within(*o.TTL, 0, 24*time.Hour), o.TTL)
			for _, f := range []*float64{o.DegradeAt, o.FailAt} {
				check(name, "limit", f == nil || !math.IsNaN(*f) && !math.IsInf(*f, 0), f)
			}
		}
	}
}
