package architecture

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// room is a package of this module, or several of a kind, and what its code
// may import. Paths are patterns within the module as path.Match has them; a
// last element "..." stands for everything below.
type room struct {
	path string
	// imports are the rooms that may be imported from here.
	imports []string
	// stdlib rooms depend on nothing but the standard library and the rooms
	// that they may import, however indirectly.
	stdlib bool
	// noGRPC rooms depend on gRPC neither directly nor indirectly.
	noGRPC bool
}

const (
	report = "proto/gen/landmark/report/v1"
	intake = "proto/gen/landmark/intake/v1"
	status = "proto/gen/landmark/status/v1"
	admin  = "proto/gen/landmark/admin/v1"
)

// rooms is the plan of the house. Every package has exactly one room and every
// room at least one package, so that neither grows or goes unnoticed. Imports
// run one way:
//
//	cmd → sidecar → intake/*|frontend/* → registry → judge
var rooms = []room{
	{path: report, noGRPC: true},
	{path: intake, imports: []string{report}},
	{path: status, imports: []string{report}},
	{path: admin},

	{path: "lmp", stdlib: true},
	{path: "lmp/probe", imports: []string{"lmp"}, stdlib: true},

	{path: "agent/landmark", imports: []string{"internal/contract"}, stdlib: true},
	{path: "agent", imports: []string{"agent/landmark", "internal/contract", "internal/hostclock", report, intake}},

	{path: "internal/contract", stdlib: true},

	{path: "internal/duration", stdlib: true},
	{path: "internal/judge", imports: []string{"internal/contract", "internal/duration"}, stdlib: true},
	{path: "internal/clock", imports: []string{"internal/judge", "internal/contract", "internal/duration"}, stdlib: true},
	{path: "internal/registry", imports: []string{"internal/clock", "internal/judge", "internal/contract"}, noGRPC: true},
	{path: "internal/members", imports: []string{"internal/registry", "internal/contract"}, noGRPC: true},
	{path: "internal/config", imports: []string{"internal/registry", "internal/judge", "internal/contract"}, noGRPC: true},
	{path: "internal/checkers", stdlib: true},
	{path: "internal/socket", noGRPC: true},
	{path: "internal/peercred", imports: []string{"internal/socket"}},
	{path: "internal/guard", imports: []string{"internal/socket"}},
	{path: "internal/intake/*", imports: []string{
		"internal/clock",
		"internal/registry", "internal/judge", "internal/socket", "internal/guard", "internal/peercred",
		"internal/contract", "internal/hostclock", report, intake, admin}},
	{path: "internal/frontend", imports: []string{"internal/registry", "internal/checkers"}, noGRPC: true},
	{path: "internal/frontend/frontendtest", imports: []string{
		"internal/registry", "internal/judge", "internal/checkers", "internal/clock"}},
	{path: "internal/frontend/grpcserver", imports: []string{"internal/registry", "internal/guard"}},
	{path: "internal/frontend/grpcstatus", imports: []string{
		"internal/frontend", "internal/frontend/grpcserver", "internal/registry", "internal/judge", "internal/checkers", "internal/contract", status, report}},
	{path: "internal/frontend/grpchealth", imports: []string{
		"internal/frontend", "internal/frontend/grpcserver", "internal/registry", "internal/judge", "internal/checkers"}},
	{path: "internal/frontend/*", imports: []string{
		"internal/frontend",
		"internal/registry", "internal/judge", "internal/checkers",
		"internal/socket", "lmp"}},
	{path: "sidecar", imports: []string{"internal/...", "lmp"}},

	{path: "internal/logqueue", stdlib: true},
	{path: "internal/hostclock", noGRPC: true},

	{path: "cmd/landmarkd", imports: []string{"sidecar", "lmp", "internal/logqueue"}},
	{path: "cmd/landmark", imports: []string{"internal/snippet", "internal/contract", "internal/logqueue", status, report, admin}},
	{path: "internal/snippet", imports: []string{"lmp", "internal/contract"}, noGRPC: true},
	{path: "cmd/landmark-check", imports: []string{"lmp", "lmp/probe"}, stdlib: true},
	{path: "cmd/landmark-watch", imports: []string{"lmp", "lmp/probe", "internal/logqueue"}, stdlib: true},
	{path: "examples/epgd", imports: []string{"agent", "agent/landmark", "internal/logqueue"}},

	{path: "test/attack", imports: []string{"agent", "agent/landmark", report, intake, "lmp", "lmp/probe"}},
	{path: "test/bench", imports: []string{"agent", "agent/landmark", report, intake}},
	{path: "test/e2e/prefork", imports: []string{"agent", "agent/landmark"}},
	{path: "test/...", imports: []string{"lmp/...", "test/..."}},
}

func matches(pattern, room string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "/..."); ok {
		return room == prefix || strings.HasPrefix(room, prefix+"/")
	}
	ok, err := path.Match(pattern, room)
	if err != nil {
		panic(err) // a mistake in rooms
	}
	return ok
}

func matchesAny(patterns []string, room string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, room) })
}

func TestImportsRunOneWay(t *testing.T) {
	all := packages(t)
	inhabited := make([]bool, len(rooms))
	for _, p := range all {
		own, ok := p.room()
		if !ok {
			continue
		}
		i := slices.IndexFunc(rooms, func(r room) bool { return matches(r.path, own) })
		if i < 0 {
			t.Errorf("%s has no room: say in rooms what it may import", own)
			continue
		}
		inhabited[i] = true
		for _, problem := range rooms[i].check(p, all) {
			t.Errorf("%s %s", own, problem)
		}
	}
	for i, r := range rooms {
		if !inhabited[i] {
			t.Errorf("room %s is empty: take it out of rooms, or build it", r.path)
		}
	}
}

// check tells how p, which lives in r, breaks r's rules.
func (r room) check(p goPackage, all map[string]goPackage) (problems []string) {
	for _, imported := range p.Imports {
		other, ok := all[imported].room()
		if ok && !matchesAny(r.imports, other) {
			problems = append(problems, "may not import "+other)
		}
	}
	for _, dep := range p.Deps {
		other, ok := all[dep].room()
		if r.stdlib && !all[dep].Standard && !(ok && matchesAny(r.imports, other)) {
			problems = append(problems, "is kept to the standard library, but depends on "+dep)
		}
		if r.noGRPC && matches("google.golang.org/grpc/...", dep) {
			problems = append(problems, "is kept free of gRPC, but depends on "+dep)
		}
	}
	return problems
}

// TestAgentAndSidecarShareOnlyMessages keeps the two sides of the socket
// apart: each must be able to change without the other. Besides the messages both
// keep the contract, and read the clock that dates the messages.
func TestAgentAndSidecarShareOnlyMessages(t *testing.T) {
	var agent, sidecar []string
	for _, p := range packages(t) {
		own, ok := p.room()
		switch {
		case ok && matches("agent/...", own):
			agent = append(append(agent, p.ImportPath), p.Deps...)
		case ok && matches("sidecar/...", own):
			sidecar = append(append(sidecar, p.ImportPath), p.Deps...)
		}
	}
	if len(agent) == 0 || len(sidecar) == 0 {
		t.Fatal("one side has no package at all")
	}
	slices.Sort(agent)
	for _, dep := range slices.Compact(agent) {
		own, ok := strings.CutPrefix(dep, module+"/")
		if ok && slices.Contains(sidecar, dep) && own != report && own != intake && own != "internal/contract" && own != "internal/hostclock" {
			t.Errorf("agent and sidecar both depend on %s", own)
		}
	}
}

// TestRoomsBite shows that each rule can be broken.
func TestRoomsBite(t *testing.T) {
	all := map[string]goPackage{
		"fmt":                    {ImportPath: "fmt", Standard: true},
		"google.golang.org/grpc": {ImportPath: "google.golang.org/grpc"},
		module + "/good":         {ImportPath: module + "/good"},
		module + "/bad":          {ImportPath: module + "/bad"},
	}
	tests := []struct {
		name     string
		room     room
		imports  []string
		problems int
	}{
		{"nothing imported", room{stdlib: true, noGRPC: true}, nil, 0},
		{"standard library", room{stdlib: true, noGRPC: true}, []string{"fmt"}, 0},
		{"allowed room", room{imports: []string{"good"}, stdlib: true}, []string{module + "/good"}, 0},
		{"other room", room{imports: []string{"good"}}, []string{module + "/bad"}, 1},
		{"other module", room{stdlib: true}, []string{"google.golang.org/grpc"}, 1},
		{"gRPC", room{noGRPC: true}, []string{"google.golang.org/grpc"}, 1},
		{"gRPC where it may be", room{}, []string{"google.golang.org/grpc"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := goPackage{ImportPath: module + "/p", Imports: tt.imports, Deps: tt.imports}
			if got := tt.room.check(p, all); len(got) != tt.problems {
				t.Errorf("%d problems, want %d: %q", len(got), tt.problems, got)
			}
		})
	}
}
