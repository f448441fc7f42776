package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

// inherited is the descriptor of the parent's socket: the first behind
// standard input, output and error.
const inherited = 3

// startUp is how long a worker takes until it can serve, as one that loads its
// tables does.
const startUp = 200 * time.Millisecond

// patience is how long a client may take to be told its line.
const patience = 100 * time.Millisecond

// worker accepts from the parent's socket until ctx is done, then stops as
// docs/embedding.md has it.
func (o options) worker(ctx context.Context) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	listener, err := inherit()
	if err != nil {
		return err
	}
	defer listener.Close()

	loop := &mainLoop{listener: listener, posted: make(chan func(), 1)}
	marks := landmark.NewSet()
	marks.Loop("main loop", o.within, landmark.Post(loop.post))
	o.agent.Landmarks = marks
	if !o.byNumber {
		o.agent.Instance = fmt.Sprintf("worker-%d", o.place)
	}
	a, err := agent.Start(o.agent)
	if err != nil {
		return err
	}
	defer a.Close() // says goodbye

	defer context.AfterFunc(ctx, func() {
		a.Drain()
		listener.Close() // ends the loop once the client that it has is served
	})()
	go wedge(loop, signals)
	time.Sleep(startUp)
	slog.Info("worker serves", "place", o.place, "pid", os.Getpid())
	return loop.run()
}

// inherit returns the parent's socket as a listener.
func inherit() (*net.TCPListener, error) {
	file := os.NewFile(inherited, "listener")
	defer file.Close() // the listener has a descriptor of its own
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("taking over the parent's socket: %w", err)
	}
	return l.(*net.TCPListener), nil
}

// wedge has the loop hang at each SIGUSR1, until SIGUSR2.
func wedge(loop *mainLoop, signals <-chan os.Signal) {
	for s := range signals {
		if s != syscall.SIGUSR1 {
			continue
		}
		freed := make(chan struct{})
		loop.post(func() { <-freed })
		for <-signals != syscall.SIGUSR2 {
		}
		close(freed)
	}
}

// mainLoop is the one loop on which a worker does everything, and which sleeps
// in accept.
type mainLoop struct {
	listener *net.TCPListener
	posted   chan func()
}

// post has the loop run f, and wakes it up.
func (l *mainLoop) post(f func()) {
	l.posted <- f
	l.listener.SetDeadline(time.Now())
}

// run turns until the listener is closed.
func (l *mainLoop) run() error {
	for {
		conn, err := l.listener.AcceptTCP()
		switch {
		case err == nil:
			serve(conn)
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.listener.SetDeadline(time.Time{}) // first, lest it undo the next post's
			l.runPosted()
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			return err
		}
	}
}

// runPosted runs what was posted.
func (l *mainLoop) runPosted() {
	for {
		select {
		case f := <-l.posted:
			f()
		default:
			return
		}
	}
}

// serve tells the client who serves it.
func serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintln(conn, os.Getpid())
}
