// Package e2e tests the real programs against real checkers: landmarkd and
// epgd run as processes, and lmp/probe, landmark-check, grpc-go,
// grpc-health-probe and others check them.
//
// The tests assert what a checker may rely on: a check that begins later than
// the bound after an event gets the correct answer.
//
// The tests have the build tag e2e, so that a plain go test ./... is quick and
// needs no other programs. make e2e runs them all; to run one:
//
//	go test -tags=e2e -run=TestHungLoopIsStalled ./test/e2e
package e2e
