// Package sidecar is the daemon beside the programs: it receives the facts that
// agents report, judges them, and answers the checkers. It runs on Linux only.
//
//	s, err := sidecar.New(sidecar.DefaultConfig())
//	…
//	err = s.Run(ctx)
//
// Inside, data flows one way: intake → registry → judge, and from the registry
// to the front ends.
package sidecar
