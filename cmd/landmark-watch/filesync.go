package main

import (
	"context"
	"log/slog"
	"time"
)

// checkInterval is how often a track file is checked. It is written again if it could not
// be written, or if another program has changed or removed it.
const checkInterval = time.Second

// fileSync keeps one track file at the value that was set last.
type fileSync struct {
	file   trackFile
	logger *slog.Logger
	values chan int // holds the latest

	problem string // the last write's error, "" if it succeeded
}

func newFileSync(file trackFile, logger *slog.Logger) *fileSync {
	return &fileSync{file: file, logger: logger, values: make(chan int, 1)}
}

// set sets the value. It does not block. Only one goroutine may call it at a time.
func (s *fileSync) set(value int) {
	select {
	case <-s.values: // is outdated
	default:
	}
	s.values <- value
}

// run keeps the file up to date until ctx is done. It calls first when the file has a
// value that was set for the first time. Until one is set, it leaves the file as it is.
func (s *fileSync) run(ctx context.Context, first func()) {
	s.file.removeTemp()
	var value int
	select {
	case value = <-s.values:
	case <-ctx.Done():
		return
	}
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for called := false; ; {
		if s.sync(value) && !called {
			called = true
			first()
		}
		select {
		case value = <-s.values:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// sync writes the value unless it is in the file, and reports whether it is there now.
// It logs when writing begins to fail, and when it succeeds again.
func (s *fileSync) sync(value int) bool {
	if !s.file.has(value) {
		if err := s.file.write(value); err != nil {
			if s.problem != err.Error() {
				s.problem = err.Error()
				s.logger.Error("the track file cannot be written, and may be out of date", "wanted", value, "err", err)
			}
			return false
		}
	}
	if s.problem != "" {
		s.problem = ""
		s.logger.Info("the track file is written again", "value", value)
	}
	return true
}
