package main

import (
	"context"
	"log/slog"
	"os"
	"syscall"

	"github.com/landmark-health/landmark/agent/landmark"
)

// mainLoop is the one loop on which all of the server's work is done. Whatever
// blocks it, the process, its port and its agent live on; only the landmark
// tells.
type mainLoop struct {
	questions chan question
	landmark  *landmark.Loop

	// signals are for demonstrations: SIGUSR1 makes the loop hang until SIGUSR2.
	signals <-chan os.Signal
}

// question is a request that waits for the main loop.
type question struct {
	request
	answer chan *programme // has room for the one answer
}

// run turns until ctx is done, unless it hangs.
func (l *mainLoop) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-l.questions:
			q.answer <- onAir(q.channel, q.at)
		case answer := <-l.landmark.C():
			// The get-state command: that it is answered here, and nowhere
			// else, is what makes it the truth.
			answer()
		case s := <-l.signals:
			if s == syscall.SIGUSR1 {
				l.hang()
			}
		}
	}
}

// hang blocks the loop as a deadlock or an endless computation would.
func (l *mainLoop) hang() {
	slog.Warn("the main loop hangs; SIGUSR2 frees it")
	for <-l.signals != syscall.SIGUSR2 {
	}
	slog.Info("the main loop goes on")
}
