package main

import (
	"maps"
	"sync"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// table is what the director has of every virtual service, as those who read it from its kernel or its programs say. Every
// change goes to the journal.
type table struct {
	journal *journal.Writer

	mu      sync.Mutex                // guards weights
	weights map[string]map[string]int // of each service's real servers, by name
}

// set says what the weights of a service's real servers are, at a time of the journal.
func (t *table) set(service string, weights map[string]int, at time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, known := t.weights[service]; known && maps.Equal(old, weights) {
		return
	}
	t.weights[service] = weights
	t.journal.Table(journal.Table{Service: service, Weights: weights, At: at})
}

// weight returns the server's weight in the service, 0 if it is not in.
func (t *table) weight(service, server string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.weights[service][server]
}
