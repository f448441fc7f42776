package architecture

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// layer is one or more packages of this module, and what their code may import.
// Paths are patterns of path.Match within the module. A last element "..." matches
// every package below.
type layer struct {
	path string
	// imports are the packages of this module that may be imported.
	imports []string
	// stdlib layers depend only on the standard library and on imports, directly
	// and indirectly.
	stdlib bool
	// noGRPC layers depend on gRPC neither directly nor indirectly.
	noGRPC bool
}

const (
	report = "proto/gen/landmark/report/v1"
	intake = "proto/gen/landmark/intake/v1"
	status = "proto/gen/landmark/status/v1"
	admin  = "proto/gen/landmark/admin/v1"
)

// layers are all layers. A package belongs to the first layer that matches it. A
// package without a layer fails the test, and so does a layer without a package.
// Imports run one way:
//
//	cmd → sidecar → intake/*|frontend/* → registry → judge
var layers = []layer{
	{path: report, noGRPC: true},
	{path: intake, imports: []string{report}},
	{path: status, imports: []string{report}},
	{path: admin},

	{path: "internal/keyfile", stdlib: true},
	{path: "lmp", imports: []string{"internal/contract", "internal/keyfile"}, stdlib: true},
	{path: "lmp/probe", imports: []string{"internal/keyfile", "lmp", "internal/contract", "internal/sleep"}, stdlib: true},

	{path: "internal/collector", stdlib: true},
	{path: "agent/landmark", imports: []string{"internal/collector", "internal/contract"}, stdlib: true},
	{path: "agent/c", stdlib: true},
	{path: "agent/python", imports: []string{report}}, // only tests
	{path: "agent", imports: []string{"agent/landmark", "internal/collector", "internal/contract", "internal/hostclock", "internal/nonblock",
		"internal/rule", "internal/servicemanager", report, intake}},

	{path: "internal/servicemanager", stdlib: true},
	{path: "internal/sleep", stdlib: true},
	{path: "internal/rate", stdlib: true},
	{path: "internal/turn", stdlib: true},
	{path: "internal/logtest", stdlib: true},
	{path: "internal/nettest", stdlib: true},
	{path: "internal/contract", stdlib: true},

	{path: "internal/duration", stdlib: true},
	{path: "internal/tracetest", stdlib: true},
	{path: "internal/rule", imports: []string{"internal/duration"}, stdlib: true},
	{path: "internal/judge", imports: []string{"internal/rule", "internal/contract", "internal/duration"}, stdlib: true},
	{path: "internal/clock", imports: []string{"internal/judge", "internal/rule", "internal/contract", "internal/duration"}, stdlib: true},
	{path: "internal/evidence", stdlib: true},
	{path: "internal/quota", stdlib: true},
	{path: "internal/histogram", stdlib: true},
	{path: "internal/poll", imports: []string{"internal/rate", "internal/judge", "internal/rule", "internal/contract", "internal/duration"}, stdlib: true},
	{path: "internal/probe", imports: []string{"internal/duration"}, stdlib: true},
	{path: "internal/registry", imports: []string{"internal/evidence", "internal/probe", "internal/duration", "internal/clock", "internal/poll", "internal/quota", "internal/rate", "internal/histogram", "internal/judge", "internal/contract"}, noGRPC: true},
	{path: "internal/bootfile", noGRPC: true},
	{path: "internal/members", imports: []string{"internal/bootfile", "internal/rate", "internal/registry", "internal/contract"}, noGRPC: true},
	{path: "internal/journal", imports: []string{"internal/registry", "internal/judge", "internal/sleep"}, noGRPC: true},
	{path: "internal/recorder", imports: []string{"internal/rate", "internal/journal", "internal/registry", "internal/judge", "internal/probe", "internal/socket", "internal/duration"}, noGRPC: true},
	{path: "internal/replay", imports: []string{"internal/journal", "internal/registry", "internal/judge", "internal/probe", "internal/duration"}, noGRPC: true},
	{path: "internal/bfd", imports: []string{"internal/keyfile"}, stdlib: true},
	{path: "internal/config", imports: []string{"internal/probe", "internal/registry", "internal/judge", "internal/contract", "internal/bfd"}, noGRPC: true},
	{path: "internal/checkers", imports: []string{"internal/sleep"}, stdlib: true},
	{path: "internal/sdnotify", imports: []string{"internal/turn", "internal/judge", "internal/rule", "internal/duration", "internal/contract"}, noGRPC: true},
	{path: "internal/pidfd", imports: []string{"internal/nonblock"}, noGRPC: true},
	{path: "internal/wrapper", imports: []string{"internal/sdnotify", "internal/pidfd", "internal/servicemanager", "internal/rule"}, noGRPC: true},
	{path: "internal/arrivals", imports: []string{"internal/nonblock"}, noGRPC: true},
	{path: "internal/eventloop", imports: []string{"internal/arrivals", "internal/nonblock"}, noGRPC: true},
	{path: "internal/socket", imports: []string{"internal/nonblock", "internal/turn"}, noGRPC: true},
	{path: "internal/peercred", imports: []string{"internal/socket"}},
	{path: "internal/guard", imports: []string{"internal/rate", "internal/socket"}},
	{path: "internal/intake/*", imports: []string{
		"internal/clock", "internal/probe", "internal/sleep", "internal/rate", "internal/duration", "internal/evidence",
		"internal/registry", "internal/judge", "internal/socket", "internal/guard", "internal/peercred", "internal/pidfd", "internal/nonblock", "internal/sdnotify", "internal/bootfile", "internal/quota",
		"internal/contract", "internal/hostclock", report, intake, admin}},
	{path: "internal/sampler", imports: []string{"internal/registry", "internal/judge"}, noGRPC: true},
	{path: "internal/frontend/statusmsg", imports: []string{
		"internal/frontend", "internal/registry", "internal/judge", "internal/checkers", "internal/contract", status, report}},
	{path: "internal/frontend/page", imports: []string{
		"internal/frontend", "internal/frontend/statusmsg", "internal/evidence", "internal/sampler", "internal/socket", "internal/describe", "internal/terminal", "internal/duration", "internal/rate",
		"internal/registry", "internal/judge", "internal/contract", status}},
	{path: "internal/frontend", imports: []string{"internal/registry", "internal/checkers", "internal/histogram"}, noGRPC: true},
	{path: "internal/metrics", imports: []string{"internal/frontend", "internal/histogram", "internal/journal", "internal/registry", "internal/judge", "internal/checkers", "internal/sleep", "internal/socket"}, noGRPC: true},
	{path: "internal/frontend/frontendtest", imports: []string{
		"internal/registry", "internal/judge", "internal/checkers", "internal/clock"}},
	{path: "internal/frontend/grpcserver", imports: []string{"internal/registry", "internal/guard"}},
	{path: "internal/frontend/grpcstatus", imports: []string{
		"internal/frontend/statusmsg", "internal/frontend/grpcserver", "internal/registry", "internal/judge", "internal/contract", status}},
	{path: "internal/frontend/grpchealth", imports: []string{
		"internal/frontend", "internal/frontend/grpcserver", "internal/registry", "internal/judge", "internal/sleep", "internal/checkers"}},
	{path: "internal/frontend/bfd", imports: []string{
		"internal/frontend", "internal/registry", "internal/judge", "internal/checkers", "internal/sleep", "internal/bfd", "internal/bootfile"}, noGRPC: true},
	{path: "internal/frontend/web", imports: []string{
		"internal/frontend", "internal/registry", "internal/judge", "internal/checkers", "internal/socket", "internal/sleep", "internal/rate", "internal/duration", "internal/terminal"}, noGRPC: true},
	{path: "internal/frontend/*", imports: []string{
		"internal/frontend",
		"internal/registry", "internal/judge", "internal/checkers",
		"internal/socket", "internal/arrivals", "internal/eventloop", "internal/nonblock", "internal/sleep", "internal/turn", "lmp"}},
	{path: "sidecar", imports: []string{"internal/...", "lmp"}},

	{path: "internal/logqueue", stdlib: true},
	{path: "internal/nonblock", noGRPC: true},
	{path: "internal/hostclock", imports: []string{"internal/nonblock"}, noGRPC: true},

	{path: "cmd/landmarkd", imports: []string{"sidecar", "lmp", "internal/duration", "internal/logqueue"}},
	{path: "internal/terminal", noGRPC: true},
	{path: "internal/describe", imports: []string{"internal/terminal", "internal/duration", status, report}},
	{path: "internal/keepalived", stdlib: true},
	{path: "cmd/landmark", imports: []string{
		"internal/snippet", "internal/contract", "internal/duration", "internal/terminal", "internal/describe", "internal/sleep", "internal/logqueue", "internal/wrapper",
		"internal/journal", "internal/replay", "internal/config", "internal/registry", status, report, admin}},
	{path: "internal/snippet", imports: []string{"lmp", "internal/contract", "internal/duration", "internal/keepalived", "internal/bfd"}, noGRPC: true},
	{path: "cmd/landmark-check", imports: []string{"internal/duration", "internal/keyfile", "lmp", "lmp/probe", "internal/contract", "internal/sleep", "internal/keepalived"}, stdlib: true},
	{path: "cmd/landmark-watch", imports: []string{"internal/keyfile", "lmp", "lmp/probe", "internal/contract", "internal/sleep", "internal/keepalived", "internal/logqueue", "internal/servicemanager"}, stdlib: true},
	{path: "examples/epgd", imports: []string{"agent", "agent/landmark"}},

	{path: "test/bfdpeer", imports: []string{"internal/bfd"}, noGRPC: true},
	{path: "test/freeport", stdlib: true},
	{path: "test/attack", imports: []string{"agent", "agent/landmark", report, intake, "lmp", "lmp/probe", "internal/bfd", "test/bfdpeer", "test/freeport"}},
	{path: "test/bench/load", noGRPC: true},
	{path: "test/bench/report", stdlib: true},
	{path: "test/bench/empty", stdlib: true},
	{path: "test/bench", imports: []string{"agent", "agent/landmark", "internal/sleep", report, intake, "lmp", "lmp/probe", "internal/bfd", "test/bfdpeer", "test/freeport", "test/bench/load", "test/bench/report"}},
	{path: "test/e2e/prefork", imports: []string{"agent", "agent/landmark"}},
	{path: "test/...", imports: []string{"lmp/...", "test/..."}},
}

func matches(pattern, own string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return own == prefix || strings.HasPrefix(own, prefix+"/")
	}
	ok, err := path.Match(pattern, own)
	if err != nil {
		panic(err) // a mistake in layers
	}
	return ok
}

func matchesAny(patterns []string, own string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, own) })
}

func TestImportsRunOneWay(t *testing.T) {
	all := packages(t)
	used := make([]bool, len(layers))
	for _, p := range all {
		own, ok := p.path()
		if !ok {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return matches(l.path, own) })
		if i < 0 {
			t.Errorf("%s has no layer: add it to layers, with what it may import", own)
			continue
		}
		used[i] = true
		for _, problem := range layers[i].check(p, all) {
			t.Errorf("%s %s", own, problem)
		}
	}
	for i, l := range layers {
		if !used[i] {
			t.Errorf("layer %s matches no package: remove it from layers", l.path)
		}
	}
}

// check returns how the package p breaks the rules of its layer.
func (l layer) check(p goPackage, all map[string]goPackage) (problems []string) {
	for _, imported := range p.Imports {
		other, ok := all[imported].path()
		if ok && !matchesAny(l.imports, other) {
			problems = append(problems, "may not import "+other)
		}
	}
	for _, dep := range p.Deps {
		other, ok := all[dep].path()
		if l.stdlib && !all[dep].Standard && !(ok && matchesAny(l.imports, other)) {
			problems = append(problems, "may use only the standard library, but depends on "+dep)
		}
		if l.noGRPC && matches("google.golang.org/grpc/...", dep) {
			problems = append(problems, "may not use gRPC, but depends on "+dep)
		}
	}
	return problems
}

// Agent and sidecar share only the messages, the contract, the clock that dates the
// messages, cheap system calls, the rule when a landmark fails, and what systemd expects,
// so that each can change without the other.
func TestAgentAndSidecarShareOnlyMessages(t *testing.T) {
	var agent, sidecar []string
	for _, p := range packages(t) {
		own, ok := p.path()
		switch {
		case ok && matches("agent/...", own):
			agent = append(append(agent, p.ImportPath), p.Deps...)
		case ok && matches("sidecar/...", own):
			sidecar = append(append(sidecar, p.ImportPath), p.Deps...)
		}
	}
	shared := []string{report, intake, "internal/contract", "internal/hostclock", "internal/nonblock", "internal/rule", "internal/duration", "internal/servicemanager"}
	if len(agent) == 0 || len(sidecar) == 0 {
		t.Fatalf("packages of agent and sidecar: got %d and %d dependencies, want some of each", len(agent), len(sidecar))
	}
	slices.Sort(agent)
	for _, dep := range slices.Compact(agent) {
		own, ok := strings.CutPrefix(dep, module+"/")
		if ok && slices.Contains(sidecar, dep) && !slices.Contains(shared, own) {
			t.Errorf("agent and sidecar both depend on %s", own)
		}
	}
}

// Each rule of a layer can be broken.
func TestLayerCheckFindsViolations(t *testing.T) {
	all := map[string]goPackage{
		"fmt":                    {ImportPath: "fmt", Standard: true},
		"google.golang.org/grpc": {ImportPath: "google.golang.org/grpc"},
		module + "/good":         {ImportPath: module + "/good"},
		module + "/bad":          {ImportPath: module + "/bad"},
	}
	tests := []struct {
		name     string
		layer    layer
		imports  []string
		problems int
	}{
		{"no import", layer{stdlib: true, noGRPC: true}, nil, 0},
		{"standard library", layer{stdlib: true, noGRPC: true}, []string{"fmt"}, 0},
		{"allowed layer", layer{imports: []string{"good"}, stdlib: true}, []string{module + "/good"}, 0},
		{"other layer", layer{imports: []string{"good"}}, []string{module + "/bad"}, 1},
		{"other module", layer{stdlib: true}, []string{"google.golang.org/grpc"}, 1},
		{"gRPC forbidden", layer{noGRPC: true}, []string{"google.golang.org/grpc"}, 1},
		{"gRPC allowed", layer{}, []string{"google.golang.org/grpc"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := goPackage{ImportPath: module + "/p", Imports: tt.imports, Deps: tt.imports}
			if got := tt.layer.check(p, all); len(got) != tt.problems {
				t.Errorf("got %d problems, want %d: %q", len(got), tt.problems, got)
			}
		})
	}
}
