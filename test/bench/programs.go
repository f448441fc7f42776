package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is Landmark's.
const module = "github.com/landmark-health/landmark"

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
	root, err := repository(ctx)
	if err != nil {
		return p, nil, err
	}
	p.directory, err = os.MkdirTemp("", "landmark-bench")
	if err != nil {
		return p, nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(p.directory)
		}
	}()
	if err := command(ctx, "go", "build", "-o", p.directory, module+"/cmd/landmarkd", module+"/cmd/landmark",
		module+"/cmd/landmark-check", module+"/cmd/landmark-watch", module+"/test/bench/empty"); err != nil {
		return p, nil, err
	}
	p.landmarkd = landmarkd
	if landmarkd == "" {
		p.landmarkd = p.path("landmarkd")
	}
	tool := exec.CommandContext(ctx, "go", "tool", "-modfile="+filepath.Join(root, "tools/probe/go.mod"), "-n", "grpc-health-probe")
	tool.Dir = root
	out, err := tool.Output()
	if err != nil {
		return p, nil, fmt.Errorf("building grpc-health-probe: %w", err)
	}
	p.healthProbe = strings.TrimSpace(string(out))
	if p.missingC, err = p.buildC(ctx, root); err != nil {
		return p, nil, err
	}
	return p, func() { os.RemoveAll(p.directory) }, nil
}

// repository returns the root of Landmark's repository, in which bench must be started: it
// has the sources.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	path, root, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if path == module {
		return root, nil
	}
	why := "the working directory is not in it"
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		why = err.Error()
	}
	return "", fmt.Errorf("no repository of Landmark to build the programs from: %s; start bench in the repository", why)
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
