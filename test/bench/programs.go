package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// programs are the paths of what is measured, and of what it is compared with.
type programs struct {
	directory   string
	landmarkd   string
	healthProbe string // grpc-health-probe
	// missingC says why there is no reference in C, if so.
	missingC string
}

func (p programs) path(name string) string { return filepath.Join(p.directory, name) }

// build builds the programs as they are released. landmarkd may be a file that is there
// already. The caller must call remove.
func build(ctx context.Context, landmarkd string) (p programs, remove func(), err error) {
	p.directory, err = os.MkdirTemp("", "landmark-bench")
	if err != nil {
		return p, nil, err
	}
	remove = func() { os.RemoveAll(p.directory) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	const module = "github.com/landmark-health/landmark/"
	if err := command(ctx, "go", "build", "-o", p.directory, module+"cmd/landmarkd", module+"cmd/landmark",
		module+"cmd/landmark-check", module+"cmd/landmark-watch", module+"test/bench/empty"); err != nil {
		return p, nil, err
	}
	p.landmarkd = landmarkd
	if landmarkd == "" {
		p.landmarkd = p.path("landmarkd")
	}
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return p, nil, fmt.Errorf("finding this module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	tool := exec.CommandContext(ctx, "go", "tool", "-modfile="+filepath.Join(root, "tools/probe/go.mod"), "-n", "grpc-health-probe")
	tool.Dir = root
	if out, err = tool.Output(); err != nil {
		return p, nil, fmt.Errorf("building grpc-health-probe: %w", err)
	}
	p.healthProbe = strings.TrimSpace(string(out))
	p.missingC, err = p.buildC(ctx, root)
	return p, remove, err
}

// buildC compiles what is in C. It returns why there is nothing, if there is no compiler.
func (p programs) buildC(ctx context.Context, root string) (missing string, err error) {
	if _, err := exec.LookPath("cc"); err != nil {
		return "there is no C compiler", nil
	}
	sources, agent := filepath.Join(root, "test/bench/reference"), filepath.Join(root, "agent/c/testdata")
	for _, args := range [][]string{
		{"-O2", "-o", p.path("udp"), filepath.Join(sources, "udp.c")},
		{"-O2", "-o", p.path("tcp"), filepath.Join(sources, "tcp.c")},
		{"-O2", "-shared", "-fPIC", "-o", p.path("ipvs.so"), filepath.Join(sources, "ipvs.c"), "-ldl"},
		{"-std=c99", "-D_GNU_SOURCE", "-O2", "-o", p.path("reach"), filepath.Join(agent, "cost.c"), filepath.Join(agent, "implementation.c")},
	} {
		if err := command(ctx, "cc", args...); err != nil {
			return "", err
		}
	}
	return "", nil
}

// command runs a command. Without cgo, as Landmark's programs are released.
func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
