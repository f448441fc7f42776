package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// scenario is what one machine plays.
type scenario interface {
	// play plays the scenario. programs is the directory of the programs under test.
	play(ctx context.Context, j *journal.Writer, programs string) error
}

// parallelWays is a scenario of several ways in one machine, which all see the same events.
type parallelWays struct {
	ways   []way
	events func(*lab) []action
}

// bfdChecks starts keepalived's BFD_CHECK. Only one way of a machine can have it, because a pair of addresses has one session.
var bfdChecks = keepalivedChecks((*lab).startSessions, "-check", "bfd", "-director", directorBack, "-interval", "250ms")

// scenarios are the scenarios by the name in LAB_SCENARIO. Ways that need much of the machine's one processor have a machine
// of their own.
var scenarios = map[string]scenario{
	"costs": costs{},
	"keepalived": parallelWays{
		ways: []way{
			{name: journal.UDP, start: keepalivedChecks(nil, "-check", "udp", "-interval", "250ms")},
			{name: journal.UDPDirect, start: keepalivedChecks(nil, "-check", "udp", "-interval", "250ms"), direct: true},
			{name: journal.TCP, start: keepalivedConnects("  delay_loop 1\n", "      connect_timeout 1\n      retry 1\n      delay_before_retry 0.1\n"), control: true},
		},
		events: func(l *lab) []action { return append(life(l), l.restartKeepalived) },
	},
	"pushed": parallelWays{
		ways: []way{
			{name: journal.File, start: keepalivedChecks((*lab).startWatcher, "-check", "file"), pushed: true},
			{name: journal.FileWeight, start: keepalivedChecks((*lab).startWatcher, "-check", "file"), pushed: true, weight: journal.Weight, direct: true, crowded: true},
		},
		events: func(l *lab) []action {
			return append(life(l), l.restartWatch, l.restartKeepalived, l.repeatBriefly(repeats()))
		},
	},
	"bfd": parallelWays{
		ways: []way{
			{name: journal.BFD, start: bfdChecks, pushed: true, crowded: true},
			{name: journal.Gate, start: keepalivedChecks(nil, "-check", "tcp", "-gate", gatePort, "-interval", "250ms")},
		},
		events: func(l *lab) []action {
			return append(life(l), l.restartKeepalived, l.restartTimes(journal.Restarts), l.repeatBriefly(repeats()))
		},
	},
	"misc": parallelWays{
		ways: []way{
			{name: journal.Misc, start: keepalivedChecks(nil, "-check", "misc"), weight: journal.Weight, crowded: true},
		},
		events: life,
	},
	"ldirectord": parallelWays{
		ways: []way{
			{name: journal.External, start: ldirectordChecks("external", true)},
			{name: journal.SimpleTCP, start: ldirectordChecks("simpletcp", false)},
			{name: journal.SimpleTCPDirect, start: ldirectordChecks("simpletcp", true), direct: true, crowded: true},
		},
		events: life,
	},
	"others": parallelWays{
		ways: []way{
			{name: journal.HAProxyTCP, start: haproxyChecks("tcp"), proxied: true},
			{name: journal.HAProxyAgent, start: haproxyChecks("both"), proxied: true, weight: 100},
			{name: journal.CompareUDP, start: compares("udp4")},
			{name: journal.CompareTCP, start: compares("tcp4")},
		},
		events: life,
	},
	"short": parallelWays{
		ways: []way{
			{name: journal.UDP, start: keepalivedChecks(nil, "-check", "udp", "-interval", "250ms")},
			{name: journal.File, start: keepalivedChecks((*lab).startWatcher, "-check", "file"), pushed: true},
			{name: journal.BFD, start: bfdChecks, pushed: true},
			{name: journal.TCP, start: keepalivedConnects("  delay_loop 1\n", "      connect_timeout 1\n      retry 1\n      delay_before_retry 0.1\n"), control: true},
		},
		events: func(l *lab) []action {
			l.watchSidecar(l.rs1)
			l.watchSidecar(l.rs2)
			return []action{l.hangUntilControlFails, l.killAndStart, l.drainAndResume, l.restartForCheckers}
		},
	},
	"defaults": parallelWays{
		ways: []way{
			{name: journal.TCPDefaults, start: keepalivedConnects("", ""), control: true},
		},
		events: func(l *lab) []action { return []action{l.hangControl, l.killAndStart} },
	},
}

// repeats returns how often the pushed ways are measured.
func repeats() int { return envInt("LAB_REPEATS", 11) }

// envInt returns the value of an environment variable, or the default if it is not set to a positive number.
func envInt(name string, def int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 1 {
		return def
	}
	return n
}

// life returns the events that may happen to a real server.
func life(l *lab) []action {
	return []action{
		l.hangAndFree,
		l.killAndStart,
		l.freezeAndThaw,
		l.drainAndResume,
		l.restartSidecar,
		l.cutAndRestore,
	}
}

// play starts the director's programs, and plays the events.
func (s parallelWays) play(ctx context.Context, j *journal.Writer, programs string) error {
	l, err := openLab(ctx, j, programs, newServices(s.ways))
	if err != nil {
		return err
	}
	for _, v := range l.services {
		if err := v.start(l, v); err != nil {
			return fmt.Errorf("starting the director's %s: %w", v.name, err)
		}
	}
	if err := l.bothIn(); err != nil {
		return err
	}
	return l.play(s.events(l)...)
}
