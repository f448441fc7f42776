package main

import (
	"log/slog"
	"os"

	"github.com/landmark-health/landmark/agent/landmark"
)

// mainLoop is the one loop on which all of the server's work is done. Whatever
// blocks it, the process, its port and its agent live on; only the landmark
// tells.
type mainLoop struct {
	questions chan question
	landmark  *landmark.Loop

	// For demonstrations: wedge makes the loop hang until free.
	wedge, free <-chan os.Signal
}

// question is a request that waits for the main loop.
type question struct {
	request
	answer chan *programme // has room for the one answer
}

// run never returns.
func (l *mainLoop) run() {
	for {
		select {
		case q := <-l.questions:
			q.answer <- onAir(q.channel, q.at)
		case answer := <-l.landmark.C():
			// The get-state command: that it is answered here, and nowhere
			// else, is what makes it the truth.
			answer()
		case <-l.wedge:
			l.hang()
		}
	}
}

// hang blocks the loop as a deadlock or an endless computation would.
func (l *mainLoop) hang() {
	select {
	case <-l.free: // of an earlier time
	default:
	}
	slog.Warn("the main loop hangs; SIGUSR2 frees it")
	<-l.free
	slog.Info("the main loop goes on")
}
