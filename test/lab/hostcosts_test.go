//go:build lab

package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	// hostTargets is how many servers landmark-watch watches on the host.
	hostTargets = 200
	// hostRuns is how often each program is run that a checker starts for every check.
	hostRuns = 100
)

// TestCostsOnHost measures the same on the host, where starting a process costs far less than in the machine. keepalived
// does not run there, because the kernel has no IPVS. Its MISC_CHECK costs at least as much as the processes that it
// starts.
func TestCostsOnHost(t *testing.T) {
	programs := build(t)
	address, watch := startWatched(t, programs)

	time.Sleep(3 * time.Second)
	before := cpuTime(t, watch)
	began := time.Now()
	time.Sleep(10 * time.Second)
	cores := (cpuTime(t, watch) - before).Seconds() / time.Since(began).Seconds()
	costTable.add(map[string]string{colProgram: "on the host: landmark-watch, changes pushed", colCPU: percent(cores), colAll: percent(cores)})

	script := filepath.Join(t.TempDir(), "nothing")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		title   string
		command []string
	}{
		{"on the host: landmark-check, started for each check", []string{filepath.Join(programs, "landmark-check"), "-addr", address, "-service", "epg"}},
		{"on the host: a script that does nothing, likewise", []string{script}},
	} {
		each := cpuPerRun(t, p.command)
		whole := each.Seconds() * checkRate
		costTable.add(map[string]string{colProgram: p.title, colEach: each.Round(time.Microsecond).String(), colAll: percent(whole)})
		if cores*processFactor > whole {
			t.Errorf("landmark-watch: got %s of a core, want less than a %dth of the %s of %s", percent(cores), processFactor, percent(whole), p.title)
		}
	}
}

// startWatched starts a sidecar, a program and a landmark-watch that watches them as hostTargets targets. They run until
// the test ends.
func startWatched(t *testing.T, programs string) (address string, watch *exec.Cmd) {
	t.Helper()
	directory := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	socket := filepath.Join(directory, "agent.sock")
	start := func(name string, arguments ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(programs, name), arguments...)
		cmd.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+directory)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd
	}
	start("landmarkd", "-agent-socket", socket, "-monitor", address, "-grpc", "", "-http", "")
	start("epgd", "-listen", "127.0.0.1:0", "-agent-socket", socket)
	arguments := []string{"-dir", directory}
	for i := range hostTargets {
		arguments = append(arguments, "-target", fmt.Sprintf("t%d=%s/epg", i, address))
	}
	return address, start("landmark-watch", arguments...)
}

// cpuTime returns the processor time that a running process has used.
func cpuTime(t *testing.T, cmd *exec.Cmd) time.Duration {
	t.Helper()
	var all time.Duration
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads of process %d: %v", cmd.Process.Pid, err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		var ns int64
		fmt.Sscan(string(text), &ns)
		all += time.Duration(ns)
	}
	return all
}

// cpuPerRun returns the mean processor time of one run of a program, from fork to exit.
func cpuPerRun(t *testing.T, command []string) time.Duration {
	t.Helper()
	var all time.Duration
	for range hostRuns {
		cmd := exec.Command(command[0], command[1:]...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v", command, err)
		}
		all += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return all / hostRuns
}
