package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

const (
	// costTargets is how many real servers are checked. The cost is measured for costWindow, after costWarmUp.
	costTargets = 200
	costWindow  = 10 * time.Second
	costWarmUp  = 5 * time.Second

	// costInterval is the interval of the checks of each server, if there is time for them.
	costInterval = "100ms"

	// nothing is the path of a script that finds every server healthy.
	nothing = "/run/checks/nothing"
)

// costs measures the cost of directors' programs. There is no network: the real servers are addresses of the director
// itself, and one sidecar answers at all of them.
type costs struct{}

func (costs) play(ctx context.Context, j *journal.Writer, programs string) error {
	speed := journal.Speed{Timeout: journal.Timeout, Within: journal.Within}
	l := &lab{ctx: ctx, journal: j, speed: speed, programs: programs, director: directorName}
	var addresses []string
	for i := range costTargets {
		addresses = append(addresses, fmt.Sprintf("127.0.1.%d", i+1))
	}
	server := &realServer{namespace: l.director, address: addresses[0], programs: programs, within: speed.Within}
	l.rs1 = server
	err := l.play(
		func() error { return buildNetwork([]host{{name: l.director, addresses: []string{directorFront}}}) },
		func() error { return server.configure("") },
		l.installCheck,
		installNothing,
		mountCgroups,
		server.startSidecar,
		server.startProgram,
		l.awaitSidecar(server))
	if err != nil {
		return err
	}
	for _, c := range []measuredCheck{
		{journal.File, l.costOfWatch, nil},
		{journal.UDP, l.costOfKeepalived("udp", unchanged), udpRequests},
		{journal.Misc, l.costOfKeepalived("misc", withoutUDPChecks), udpRequests},
		{journal.MiscNothing, l.costOfKeepalived("misc", runningScript(nothing)), forks},
	} {
		if err := l.measure(c, addresses); err != nil {
			return fmt.Errorf("measuring %s: %w", c.way, err)
		}
	}
	return nil
}

// measuredCheck is a program that checks, and a function that counts its checks on a director where nothing else runs.
type measuredCheck struct {
	way     string
	command func(addresses []string) (program string, arguments []string, err error)
	count   func(namespace) (int, error) // nil = checks are not counted
}

// The changes of a snippet whose cost is measured.

func unchanged(snippet string) string { return snippet }

// withoutUDPChecks leaves only the MISC_CHECKs.
func withoutUDPChecks(snippet string) string { return udpChecks.ReplaceAllString(snippet, "") }

// runningScript replaces the program of the MISC_CHECKs by a script.
func runningScript(script string) func(string) string {
	return func(snippet string) string {
		return miscPaths.ReplaceAllString(withoutUDPChecks(snippet), fmt.Sprintf("misc_path %q", script))
	}
}

var (
	udpChecks = regexp.MustCompile(`(?s)UDP_CHECK \{.*?\}`)
	miscPaths = regexp.MustCompile(`misc_path ".*?"`)
)

// costOfKeepalived returns the command of a keepalived with its snippet, after a change.
func (l *lab) costOfKeepalived(check string, change func(string) string) func([]string) (string, []string, error) {
	return func(addresses []string) (string, []string, error) {
		configuration, err := l.costSnippet(check, addresses)
		if err != nil {
			return "", nil, err
		}
		const path = "/run/keepalived-cost.conf"
		return "keepalived", []string{"--check", "--dont-fork", "--log-console", "--use-file", path},
			os.WriteFile(path, []byte(change(configuration)), 0o644)
	}
}

// costOfWatch returns the command of landmark-watch from the snippet.
func (l *lab) costOfWatch(addresses []string) (string, []string, error) {
	snippet, err := l.costSnippet("file", addresses)
	if err != nil {
		return "", nil, err
	}
	arguments, err := watchArguments(snippet)
	if err != nil {
		return "", nil, err
	}
	return l.program("landmark-watch"), arguments, os.MkdirAll(watchDirectory, 0o755)
}

func (l *lab) costSnippet(check string, addresses []string) (string, error) {
	return printSnippet(l.program("landmark"), l.speed.Timeout, "keepalived", "192.0.2.80:5400", addresses,
		"-check", check, "-interval", costInterval, "-dir", watchDirectory, "-check-path", checkPath)
}

// measure runs a director's program and measures the cost of it and all its children.
func (l *lab) measure(c measuredCheck, addresses []string) error {
	program, arguments, err := c.command(addresses)
	if err != nil {
		return err
	}
	g, err := newCgroup(c.way)
	if err != nil {
		return err
	}
	p, err := l.director.startIn(g, "cost-"+c.way, nil, program, arguments...)
	if err != nil {
		return err
	}
	var before, after journal.Cost
	read := func(into *journal.Cost) action {
		return func() (err error) {
			into.Elapsed = l.journal.Now()
			if into.CPU, err = g.usage(); err == nil && c.count != nil {
				into.Checks, err = c.count(l.director)
			}
			return err
		}
	}
	err = l.play(l.linger(costWarmUp), read(&before), l.linger(costWindow), read(&after), g.kill)
	if err != nil {
		return err
	}
	<-p.exited
	l.journal.Cost(journal.Cost{Way: c.way, Targets: costTargets,
		Elapsed: after.Elapsed - before.Elapsed, CPU: after.CPU - before.CPU, Checks: after.Checks - before.Checks})
	return nil
}

// installNothing installs the script.
func installNothing() error {
	if err := os.WriteFile(nothing, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		return fmt.Errorf("installing a script: %w", err)
	}
	return nil
}

// udpRequests returns how many requests were sent by UDP in a namespace. It assumes that each was answered within it.
func udpRequests(n namespace) (received int, err error) {
	err = n.enter(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if _, err := fmt.Sscanf(line, "Udp: %d", &received); err == nil {
				return nil
			}
		}
		return fmt.Errorf("no UDP counts in %q", text)
	})
	return received / 2, err
}

// forks returns how many processes were started on the machine.
func forks(namespace) (n int, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "processes %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, fmt.Errorf("no count of processes in %q", text)
}
