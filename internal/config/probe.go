package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// MaxProbes is how many services of a file may have a probe.
const MaxProbes = 64

// probeEntry holds the keys of a probe.
type probeEntry struct {
	targets []target
	check   probe.Check
	impact  judge.Impact
	steps   []stepEntry
}

// target is a program to check.
type target struct {
	network probe.Network
	address string
}

// stepEntry is a step, and its place in the file.
type stepEntry struct {
	step  probe.Step
	given int // how many keys it has
	node  ast.Node
	at    path
}

// probeKeys are the keys of a probe.
var probeKeys = []key[probeEntry]{
	scalarKey("connect", hostPorts("a TCP server's HOST:PORT"),
		func(e *probeEntry, a string) { e.targets = append(e.targets, target{probe.TCP, a}) }),
	scalarKey("udp", hostPorts("a UDP server's HOST:PORT"),
		func(e *probeEntry, a string) { e.targets = append(e.targets, target{probe.UDP, a}) }),
	scalarKey("unix", unixPaths(),
		func(e *probeEntry, a string) { e.targets = append(e.targets, target{probe.Unix, a}) }),
	scalarKey("every", durations(100*time.Millisecond, time.Hour),
		func(e *probeEntry, d time.Duration) { e.check.Every = d }),
	scalarKey("within", durations(100*time.Millisecond, time.Minute),
		func(e *probeEntry, d time.Duration) { e.check.Within = d }),
	scalarKey("fall", checksInARow(),
		func(e *probeEntry, n int) { e.check.Fall = n }),
	scalarKey("rise", checksInARow(),
		func(e *probeEntry, n int) { e.check.Rise = n }),
	scalarKey("impact", impacts(),
		func(e *probeEntry, i judge.Impact) { e.impact = i }),
	{"steps", "a list of steps", readSteps},
}

// stepKeys are the keys of a step of a probe.
var stepKeys = []key[stepEntry]{
	scalarKey("send", scalar[[]byte]{"text", func(s string) ([]byte, error) { return []byte(s), probe.CheckSend(s) }},
		func(e *stepEntry, b []byte) { e.set(probe.Step{Send: b}) }),
	scalarKey("send_hex", scalar[[]byte]{"bytes in hex", probe.Bytes},
		func(e *stepEntry, b []byte) { e.set(probe.Step{Send: b}) }),
	scalarKey("expect", scalar[probe.Pattern]{"text", probe.Text},
		func(e *stepEntry, p probe.Pattern) { e.set(probe.Step{Expect: p}) }),
	scalarKey("expect_hex", scalar[probe.Pattern]{"bytes in hex, XX for any byte", probe.Hex},
		func(e *stepEntry, p probe.Pattern) { e.set(probe.Step{Expect: p}) }),
	scalarKey("expect_regexp", scalar[probe.Pattern]{"an RE2 pattern", probe.Regexp},
		func(e *stepEntry, p probe.Pattern) { e.set(probe.Step{Expect: p}) }),
}

func (e *stepEntry) set(s probe.Step) {
	e.step = s
	e.given++
}

// readProbe reads the value of a service's probe.
func readProbe(r *reader, at path, n ast.Node, s *service) {
	e := probeEntry{
		check:  probe.Check{Every: time.Second, Within: time.Second, Fall: 1, Rise: 1},
		impact: judge.ImpactReadiness,
	}
	found := len(r.problems)
	fill(r, at, n, probeKeys, &e)
	if len(r.problems) > found {
		return // a misspelt key would also be reported as missing
	}
	if len(e.targets) != 1 {
		r.fail(n, at, "has %d of connect, udp and unix: write exactly one", len(e.targets))
		return
	}
	e.check.Network, e.check.Address = e.targets[0].network, e.targets[0].address
	for _, step := range e.steps {
		if err := step.step.On(e.check.Network); err != nil {
			r.fail(step.node, step.at, "%v", err)
		}
		e.check.Steps = append(e.check.Steps, step.step)
	}
	if err := probe.CheckSteps(e.check.Steps); err != nil {
		r.fail(n, at, "%v", err)
	}
	s.Host = append(s.Host, registry.HostLandmark{
		Declared: judge.Declared{Name: probe.Name, Kind: judge.KindCondition, Impact: e.impact, TTL: e.check.ValidFor()},
		Probe:    &e.check,
	})
}

// readSteps reads the value of a probe's steps.
func readSteps(r *reader, at path, n ast.Node, e *probeEntry) {
	items := r.list(at, n)
	if len(items) > probe.MaxSteps {
		r.fail(n, at, "has %d steps: use %d at most", len(items), probe.MaxSteps)
		return
	}
	for i, item := range items {
		step := stepEntry{node: item, at: at.to(strconv.Itoa(i + 1))}
		found := len(r.problems)
		fill(r, step.at, item, stepKeys, &step)
		if len(r.problems) == found && step.given != 1 {
			r.fail(item, step.at, "has %d keys: write exactly one of %s, and give each step a hyphen of its own", step.given, list(stepKeys))
		}
		e.steps = append(e.steps, step)
	}
}

// checksInARow takes a number of checks.
func checksInARow() scalar[int] {
	const takes = "a number from 1 to 100"
	return scalar[int]{takes, func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 100 {
			return 0, fmt.Errorf("%.40q is not a number of checks: write %s", text, takes)
		}
		return n, nil
	}}
}

// hostPorts takes HOST:PORT of a program.
func hostPorts(takes string) scalar[string] {
	return scalar[string]{takes, func(text string) (string, error) {
		host, port, err := net.SplitHostPort(text)
		n, wrong := strconv.ParseUint(port, 10, 16)
		if err != nil || wrong != nil || n == 0 || host == "" || strings.ContainsAny(host, "/ %") {
			return "", fmt.Errorf("%.60q is not HOST:PORT: write one such as \"127.0.0.1:11211\", \"[::1]:11211\" or \"localhost:11211\"", text)
		}
		if a, err := netip.ParseAddr(host); err == nil && (a.IsUnspecified() || a.IsMulticast() || a.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255})) {
			return "", fmt.Errorf("%.60q is not the address of one host: write the address at which the program is reached, such as \"127.0.0.1:11211\"", text)
		}
		return text, nil
	}}
}

// maxUnixPath is the longest path of a Unix socket (unix(7)).
const maxUnixPath = 107

// unixPaths takes the paths of Unix sockets.
func unixPaths() scalar[string] {
	return scalar[string]{"the path of a Unix socket, or @NAME of an abstract one", func(text string) (string, error) {
		switch {
		case !filepath.IsAbs(text) && (!strings.HasPrefix(text, "@") || len(text) == 1):
			return "", fmt.Errorf("%.60q is not a path from the root: write one such as /run/redis/redis.sock", text)
		case len(text) > maxUnixPath:
			return "", fmt.Errorf("has %d bytes: a Unix socket's path has %d at most", len(text), maxUnixPath)
		}
		return text, nil
	}}
}

// Probes returns how many services of the file have a probe.
func (f *File) Probes() (n int) {
	for _, p := range f.Services {
		for _, l := range p.Host {
			if l.Probe != nil {
				n++
			}
		}
	}
	return n
}
