//go:build race

package lmp

// raceDetector is whether the race detector is on. It makes sync.Pool drop items
// at random.
const raceDetector = true
