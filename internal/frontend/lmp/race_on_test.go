//go:build race

package lmp

// raceDetector is whether the race detector watches, in whose presence a
// sync.Pool forgets at random.
const raceDetector = true
