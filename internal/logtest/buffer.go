// Package logtest keeps logs for tests.
package logtest

import (
	"bytes"
	"strings"
	"sync"
)

// Buffer is a log that a test reads while lines are added to it. Its zero value is
// empty. Its methods may be called by any number of goroutines at once.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write adds a line.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

// String returns the log.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Take returns the log and empties it.
func (b *Buffer) Take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// Count returns how often the log has the text.
func (b *Buffer) Count(text string) int { return strings.Count(b.String(), text) }
