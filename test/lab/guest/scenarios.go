package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// scenario is what is played in one machine.
type scenario interface {
	// play plays it. programs is the directory of the programs under test.
	play(ctx context.Context, j *journal.Writer, programs string) error
}

// sideBySide is a number of ways that stand side by side in one machine, so that all see the same, and what happens there.
type sideBySide struct {
	ways   []way
	events func(*laboratory) []act
}

// scenarios are what can be played, by the name that LAB_SCENARIO gives. What costs much of the machine's one processor has
// a machine of its own.
var scenarios = map[string]scenario{
	"costs": costs{},
	"keepalived": sideBySide{
		ways: []way{
			{name: journal.UDP, start: keepalivedChecks("-check", "udp", "-interval", "250ms")},
			{name: journal.UDPDirect, start: keepalivedChecks("-check", "udp", "-interval", "250ms"), direct: true},
			{name: journal.TCP, start: keepalivedConnects("  delay_loop 1\n", "      connect_timeout 1\n      retry 1\n      delay_before_retry 0.1\n"), blind: true},
		},
		events: func(l *laboratory) []act { return append(life(l), l.restartKeepalived) },
	},
	"pushed": sideBySide{
		ways: []way{
			{name: journal.File, start: keepalivedChecks("-check", "file"), prompt: true},
			{name: journal.FileWeight, start: keepalivedChecks("-check", "file"), prompt: true, weight: journal.Weight, direct: true, crowded: true},
		},
		events: func(l *laboratory) []act {
			return append(life(l), l.restartWatch, l.restartKeepalived, l.inQuickSuccession(repeats()))
		},
	},
	"misc": sideBySide{
		ways: []way{
			{name: journal.Misc, start: keepalivedChecks("-check", "misc"), weight: journal.Weight, crowded: true},
		},
		events: life,
	},
	"ldirectord": sideBySide{
		ways: []way{
			{name: journal.External, start: ldirectordChecks("external", true)},
			{name: journal.SimpleTCP, start: ldirectordChecks("simpletcp", false)},
			{name: journal.SimpleTCPDirect, start: ldirectordChecks("simpletcp", true), direct: true, crowded: true},
		},
		events: life,
	},
	"others": sideBySide{
		ways: []way{
			{name: journal.HAProxyTCP, start: haproxyChecks("tcp"), outside: true},
			{name: journal.HAProxyAgent, start: haproxyChecks("both"), outside: true, weight: 100},
			{name: journal.CompareUDP, start: compares("udp4")},
			{name: journal.CompareTCP, start: compares("tcp4")},
		},
		events: life,
	},
	"short": sideBySide{
		ways: []way{
			{name: journal.UDP, start: keepalivedChecks("-check", "udp", "-interval", "250ms")},
			{name: journal.File, start: keepalivedChecks("-check", "file"), prompt: true},
			{name: journal.TCP, start: keepalivedConnects("  delay_loop 1\n", "      connect_timeout 1\n      retry 1\n      delay_before_retry 0.1\n"), blind: true},
		},
		events: func(l *laboratory) []act {
			l.watchSidecar(l.rs1)
			l.watchSidecar(l.rs2)
			return []act{l.wedgeUnderControl, l.killAndStart, l.drainAndResume, l.restartPatiently}
		},
	},
	"defaults": sideBySide{
		ways: []way{
			{name: journal.TCPDefaults, start: keepalivedConnects("", ""), blind: true},
		},
		events: func(l *laboratory) []act { return []act{l.hangUnnoticed, l.killAndStart} },
	},
}

// repeats is how often the promptest ways are measured.
func repeats() int { return fromEnvironment("LAB_REPEATS", 11) }

// fromEnvironment is the number that the environment gives the name, usual if it gives none.
func fromEnvironment(name string, usual int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 1 {
		return usual
	}
	return n
}

// life is what may happen to a real server.
func life(l *laboratory) []act {
	return []act{
		l.wedgeAndFree,
		l.killAndStart,
		l.freezeAndThaw,
		l.drainAndResume,
		l.restartSidecar,
		l.cutAndRestore,
	}
}

// play starts what checks in the ways, and has it all happen.
func (s sideBySide) play(ctx context.Context, j *journal.Writer, programs string) error {
	l, err := openLaboratory(ctx, j, programs, number(s.ways))
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
