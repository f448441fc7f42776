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
	// costTargets is how many real servers are checked, costWindow for how long what that costs is measured, once it has gone
	// on for costWarmUp.
	costTargets = 200
	costWindow  = 10 * time.Second
	costWarmUp  = 5 * time.Second

	// costInterval is how often each is checked, if there is the time for it.
	costInterval = "100ms"

	// nothing is a script that finds every server well.
	nothing = "/run/checks/nothing"
)

// costs measures what directors' programs cost. There is no network: the real servers are addresses of the director's own,
// and one sidecar answers at all of them.
type costs struct{}

func (costs) play(ctx context.Context, j *journal.Writer, programs string) error {
	pace := journal.Pace{Patience: journal.Patience, Within: journal.Within}
	l := &laboratory{ctx: ctx, journal: j, pace: pace, programs: programs, director: directorName}
	var addresses []string
	for i := range costTargets {
		addresses = append(addresses, fmt.Sprintf("127.0.1.%d", i+1))
	}
	server := &realServer{namespace: l.director, address: addresses[0], programs: programs, within: pace.Within}
	l.rs1 = server
	err := l.play(
		func() error { return buildNetwork([]host{{name: l.director, addresses: []string{directorFront}}}) },
		configureSidecars,
		l.installCheck,
		installNothing,
		mountCgroups,
		server.startSidecar,
		server.startProgram,
		l.awaitSidecar(server))
	if err != nil {
		return err
	}
	for _, c := range []checking{
		{journal.File, l.costOfWatch, nil},
		{journal.UDP, l.costOfKeepalived("udp", unaltered), udpQuestions},
		{journal.Misc, l.costOfKeepalived("misc", unguarded), udpQuestions},
		{journal.MiscNothing, l.costOfKeepalived("misc", running(nothing)), forks},
	} {
		if err := l.measure(c, addresses); err != nil {
			return fmt.Errorf("measuring %s: %w", c.way, err)
		}
	}
	return nil
}

// checking is a program that checks, and how its checks are counted on a director where nothing else goes on; nil if they are not.
type checking struct {
	way     string
	command func(addresses []string) (program string, arguments []string, err error)
	count   func(namespace) (int, error)
}

// What a snippet is altered to for its cost.

func unaltered(snippet string) string { return snippet }

// unguarded leaves the MISC_CHECKs alone.
func unguarded(snippet string) string { return udpChecks.ReplaceAllString(snippet, "") }

// running has the MISC_CHECKs run a script instead.
func running(script string) func(string) string {
	return func(snippet string) string {
		return miscPaths.ReplaceAllString(unguarded(snippet), fmt.Sprintf("misc_path %q", script))
	}
}

var (
	udpChecks = regexp.MustCompile(`(?s)UDP_CHECK \{.*?\}`)
	miscPaths = regexp.MustCompile(`misc_path ".*?"`)
)

// costOfKeepalived runs keepalived as its snippet says, altered.
func (l *laboratory) costOfKeepalived(check string, alter func(string) string) func([]string) (string, []string, error) {
	return func(addresses []string) (string, []string, error) {
		configuration, err := l.costSnippet(check, addresses)
		if err != nil {
			return "", nil, err
		}
		const path = "/run/keepalived-cost.conf"
		return "keepalived", []string{"--check", "--dont-fork", "--log-console", "--use-file", path},
			os.WriteFile(path, []byte(alter(configuration)), 0o644)
	}
}

// costOfWatch runs landmark-watch as the snippet says.
func (l *laboratory) costOfWatch(addresses []string) (string, []string, error) {
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

func (l *laboratory) costSnippet(check string, addresses []string) (string, error) {
	return printSnippet(l.program("landmark"), l.pace.Patience, "keepalived", "192.0.2.80:5400", addresses,
		"-check", check, "-interval", costInterval, "-dir", watchDirectory, "-check-path", checkPath)
}

// measure runs a director's program and measures what it and all its children cost.
func (l *laboratory) measure(c checking, addresses []string) error {
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
	read := func(into *journal.Cost) act {
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
	<-p.gone
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

// udpQuestions is how many questions have been asked by UDP in a namespace whose every question is answered from within.
func udpQuestions(n namespace) (received int, err error) {
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

// forks is how many processes have been started on the machine.
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
