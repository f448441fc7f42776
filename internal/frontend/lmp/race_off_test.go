//go:build !race

package lmp

const raceDetector = false
