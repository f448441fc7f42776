package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	intakev1 "github.com/landmark-health/landmark/proto/gen/landmark/intake/v1"
	reportv1 "github.com/landmark-health/landmark/proto/gen/landmark/report/v1"
)

// userJournal is how many bytes the lines about one user's services may have at once, and
// what others' may have meanwhile (docs/security.md).
const userJournal = (32 + 4) << 20

// journalAttacks are what a local user can do to the journal.
func journalAttacks() []attack {
	journal := func(name, attacker, what string) attack {
		return attack{name: "journal: " + name, what: what + ", with -journal; then landmarkd is restarted", who: "local user", measured: true,
			play: func(s *scene) { attackJournal(s, attacker) }}
	}
	return []attack{
		journal("flapping", "flapping", "up to 2,000 services change 5 times a second, with long reasons"),
		journal("odd names", "odd names", "services with the longest names change, with 256 landmarks each, and reasons of control characters"),
		journal("report flood", "report flood", "100 connections report as fast as they can"),
	}
}

// attackJournal attacks a landmarkd that keeps a journal. That stays small, and the history
// of the honest programs stays.
func attackJournal(s *scene, attacker string) {
	dir := filepath.Join(s.dir, "journal")
	s.startPair("-journal", dir)
	s.director(nil, "well", "hung")
	s.awaitCheckers("well", healthy)
	p := s.attack(attacker, s.sidecar.agents(), attackerUID)
	s.runFor(3*time.Second, 20*time.Second)
	s.awaitHistory("hung", "", "stalled")
	p.kill()
	size := 0
	files, err := os.ReadDir(dir)
	s.must(err)
	for _, f := range files {
		info, err := f.Info()
		s.must(err)
		size += int(info.Size())
	}
	s.note("the journal has %d kB", size>>10)
	if size == 0 || size > userJournal {
		s.fail("the journal has %d kB, want some, at most %d", size>>10, userJournal>>10)
	}
	s.restart()
	s.awaitHistory("hung", "Before landmarkd was restarted", "stalled")
}

// awaitHistory waits until the history of the service has the text, below the heading if
// one is given.
func (s *scene) awaitHistory(service, heading, text string) {
	var last string
	found := await(timeout, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		out, err := exec.CommandContext(ctx, filepath.Join(s.programs, "landmark"), "history", "-addr", s.sidecar.grpc, service).CombinedOutput()
		_, below, has := strings.Cut(string(out), heading)
		last = string(out)
		return err == nil && has && strings.Contains(below, text)
	})
	if !found {
		s.fail("the history of %s has no %q below %q: %.500s", service, text, heading, last)
	}
}

// changeOddly changes 50 services with the longest names, each with 256 landmarks whose
// reasons are what a line of JSON makes longest.
func changeOddly(ctx context.Context, target string) error {
	const services, landmarks = 50, 256
	declaration := &reportv1.Declaration{}
	for i := range landmarks {
		name := fmt.Sprintf("%d %s", i, strings.Repeat(`"\`, 62))
		declaration.Landmarks = append(declaration.Landmarks, &reportv1.Landmark{Name: name, Kind: reportv1.Kind_KIND_CONDITION})
	}
	reason := strings.Repeat("\x01", 255)
	return each(ctx, services, func(ctx context.Context, i int) {
		name := func(int) string { return fmt.Sprintf("%02d", i) + strings.Repeat("x", 88) }
		openStreams(ctx, target, 1, name, func(streams []intakev1.IntakeService_StreamClient) error {
			if err := streams[0].Send(&reportv1.StreamRequest{Message: &reportv1.StreamRequest_Declaration{Declaration: declaration}}); err != nil {
				return err
			}
			for n := 0; ; n++ {
				r := &reportv1.Report{}
				for range landmarks {
					r.Facts = append(r.Facts, &reportv1.Fact{Reached: true, Count: uint64(n + 1), Met: n%2 == 0, Reason: reason})
				}
				if err := streams[0].Send(&reportv1.StreamRequest{Message: &reportv1.StreamRequest_Report{Report: r}}); err != nil {
					return err
				}
				time.Sleep(200 * time.Millisecond)
			}
		})
	})
}
