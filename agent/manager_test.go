package agent

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
)

// A manager records the notifications of a reporter, as systemd with WatchdogSec= would
// receive them.
type manager struct {
	got []notification // during the latest call of after

	mu   sync.Mutex // guards the fields below
	sent []notification
	err  error // of each notification
}

type notification struct {
	at    time.Time
	lines string
}

// runManaged runs a reporter without a sidecar until the test ends.
func runManaged(t *testing.T, marks *landmark.Set, watchdog time.Duration) *manager {
	m := &manager{}
	r := newReporter(marks, slog.New(slog.DiscardHandler))
	r.manager = m.report(slog.New(slog.DiscardHandler), watchdog)
	background(t, func() { r.run(t.Context()) })
	return m
}

func (m *manager) report(logger *slog.Logger, watchdog time.Duration) *managerReport {
	return &managerReport{
		send: func(lines ...string) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.err == nil {
				m.sent = append(m.sent, notification{time.Now(), strings.Join(lines, "\n")})
			}
			return m.err
		},
		interval: watchdog / 2,
		logger:   logger,
		judged:   judged{origin: time.Now()},
	}
}

// after passes the time and returns what was sent since the previous call.
func (m *manager) after(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	m.got = m.take()
	var lines []string
	for _, n := range m.got {
		lines = append(lines, n.lines)
	}
	return lines
}

// take returns what was sent since the previous call.
func (m *manager) take() []notification {
	m.mu.Lock()
	defer m.mu.Unlock()
	sent := m.sent
	m.sent = nil
	return sent
}

func (m *manager) setError(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// alive counts the notifications that contain WATCHDOG=1.
func alive(sent []string) (n int) {
	for _, lines := range sent {
		if slices.Contains(strings.Split(lines, "\n"), "WATCHDOG=1") {
			n++
		}
	}
	return n
}
