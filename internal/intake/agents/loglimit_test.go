package agents

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// logBuffer is a log that lines are added to while a test reads it.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

// TestSessionsInALoopDoNotFloodTheLog: a program that connects again and again
// has some lines a minute, and another one still has its own.
func TestSessionsInALoopDoNotFloodTheLog(t *testing.T) {
	s, log := newSidecar(t), new(logBuffer)
	s.stop()
	clock := clock.New()
	go clock.Run(t.Context(), readAll)
	s.server = New(registry.New(clock, 0), slog.New(slog.NewTextHandler(log, nil)))
	l, err := socket.Listen(s.path)
	if err != nil {
		t.Fatal(err)
	}
	s.stop = run(t, s.server, l)

	conn := s.dial(hello("quiet", "a"), declaration(loop("main")), report(0, fact(1)))
	conn.welcomed()
	const sessions = 100
	for range sessions {
		a := s.dial(hello("loop", "a"), declaration(loop("main")), report(0, fact(1)))
		a.welcomed()
		a.send(goodbye())
		a.ended()
	}
	conn.send(goodbye())
	conn.ended()
	s.stop()
	if n := log.count("service=loop"); n == 0 || n > sessions/2 {
		t.Errorf("%d sessions have %d lines", sessions, n)
	}
	if n := log.count("service=quiet"); n != 2 {
		t.Errorf("the other program has %d lines, want 2", n)
	}
}
