package main

import (
	"maps"
	"sync"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// table is the director's table of every virtual service, as read from its kernel or its programs. Every change is
// journaled.
type table struct {
	journal *journal.Writer

	mu      sync.Mutex                // guards weights
	weights map[string]map[string]int // of each service's real servers, by name
}

// set sets the weights of a service's real servers, at a time of the journal.
func (t *table) set(service string, weights map[string]int, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, known := t.weights[service]; known && maps.Equal(old, weights) {
		return
	}
	t.weights[service] = weights
	t.journal.Table(journal.Table{Service: service, Weights: weights, At: at})
}

// weight returns the server's weight in the service, or 0 if it is not in.
func (t *table) weight(service, server string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.weights[service][server]
}
