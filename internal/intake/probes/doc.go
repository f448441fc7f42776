// Package probes is the intake that checks programs actively: at an interval it takes
// the steps of a [probe.Check], over a connection of its own.
//
// Each check has one goroutine and at most one connection at a time, so a program that
// hangs holds up nothing but its own check. A result is dated by the beginning of the
// check, before anything was sent: nothing that the program did earlier counts. The
// time for a check is measured in the time that landmarkd runs, so that a program does
// not fail because landmarkd was paused.
//
// The package reports nothing by itself: the host intake reads the results, as facts
// of the service's host.
//
// A check is followed through prober.go, which begins it when it is due and keeps the
// result, and converse.go, which connects (dialer.go) and takes the steps. What is sent,
// what an answer must be, and what several results say together is in package probe.
package probes
