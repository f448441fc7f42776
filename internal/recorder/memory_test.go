package recorder

import (
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/journal"
)

// memory is a journal in memory.
type memory struct {
	mu      sync.Mutex
	lines   []journal.Line // guarded by mu
	entries []journal.Entry
}

func (m *memory) Write(l journal.Line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lines = append(m.lines, l)
}

func (m *memory) Forget(string)                             {}
func (m *memory) Epoch() uint64                             { return 0 }
func (m *memory) NeedFull() <-chan struct{}                 { return nil }
func (m *memory) HalfFull() bool                            { return false }
func (m *memory) Entries(string, time.Time) []journal.Entry { return m.entries }

func (m *memory) of(t journal.Type) (lines []journal.Line) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.lines {
		if l.Type == t {
			lines = append(lines, l)
		}
	}
	return lines
}
