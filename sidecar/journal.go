package sidecar

import (
	"context"
	"sync"

	"github.com/landmark-health/landmark/internal/journal"
	"github.com/landmark-health/landmark/internal/recorder"
)

// bindJournal has each change of a verdict logged and, if there is a journal, written into
// it, with all that can be judged again.
func (s *Sidecar) bindJournal(c Config) {
	rc := recorder.Config{Logger: c.Logger, Now: s.clock.Judged}
	if c.Journal != "" {
		s.journal = journal.New(journal.Config{Dir: c.Journal, Version: c.Version, Logger: c.Logger})
		rc.Journal = s.journal
		s.addresses = append(s.addresses, "journal", c.Journal)
	}
	s.recorder = recorder.New(rc)
	s.services.SetRecorder(s.recorder)
}

// writeJournal writes the journal until stop is called. Call stop after the intake has
// ended, so that the journal includes the last goodbyes. It takes no longer than the disk
// does, and at most half a second.
func (s *Sidecar) writeJournal() (stop func()) {
	if s.journal == nil {
		return func() {}
	}
	recording, stopRecording := context.WithCancel(context.Background())
	writing, stopWriting := context.WithCancel(context.Background())
	var recorded, written sync.WaitGroup
	recorded.Go(func() { _ = s.recorder.Run(recording, s.services) })
	written.Go(func() { _ = s.journal.Run(writing) })
	return func() {
		stopRecording()
		recorded.Wait()
		stopWriting()
		written.Wait()
	}
}
