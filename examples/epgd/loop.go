package main

import (
	"context"
	"log/slog"
	"os"
	"syscall"

	"github.com/landmark-health/landmark/agent/landmark"
)

// A mainLoop does all of the server's work. When it blocks, the process, its port
// and its agent stay alive, and only the landmark shows it.
type mainLoop struct {
	requests chan pendingRequest
	landmark *landmark.Loop

	// signals are for demonstrations: SIGUSR1 makes the loop hang until SIGUSR2.
	signals <-chan os.Signal
}

// A pendingRequest is a request that waits for the main loop.
type pendingRequest struct {
	request
	answer chan *programme // holds the one answer
}

// run works until ctx is done.
func (l *mainLoop) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-l.requests:
			q.answer <- onAir(q.channel, q.at)
		case answer := <-l.landmark.C():
			// The get-state command. It must be run here, on the main loop, and
			// nowhere else: only then does the answer prove that this loop works.
			answer()
		case s := <-l.signals:
			if s == syscall.SIGUSR1 {
				l.hang()
			}
		}
	}
}

// hang blocks the loop as a deadlock or an endless computation would. It logs on
// goroutines, because the loop must not wait for the reader of standard error.
func (l *mainLoop) hang() {
	go slog.Warn("the main loop hangs until SIGUSR2")
	for <-l.signals != syscall.SIGUSR2 {
	}
	go slog.Info("the main loop continues")
}
