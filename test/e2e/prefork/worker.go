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

// inherited is the descriptor of the parent's socket: the first after standard
// input, output and error.
const inherited = 3

// startTime is how long a worker takes to start, as if it loaded its tables.
const startTime = 200 * time.Millisecond

// writeTimeout is the timeout for sending a client its line.
const writeTimeout = 100 * time.Millisecond

// worker accepts from the parent's socket until ctx is done, then stops as
// docs/embedding.md describes.
func (o options) worker(ctx context.Context) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	listener, err := inheritedListener()
	if err != nil {
		return err
	}
	defer listener.Close()

	loop := &mainLoop{listener: listener, posted: make(chan func(), 1)}
	marks := landmark.NewSet()
	marks.Loop("main loop", o.within, landmark.Post(loop.post))
	o.agent.Landmarks = marks
	if !o.byNumber {
		o.agent.Instance = fmt.Sprintf("worker-%d", o.number)
	}
	a, err := agent.Start(o.agent)
	if err != nil {
		return err
	}
	defer a.Close() // says goodbye

	defer context.AfterFunc(ctx, func() {
		a.Drain()
		listener.Close() // ends the loop once it has served its current client
	})()
	go hangOnSignal(loop, signals)
	time.Sleep(startTime)
	slog.Info("worker serves", "worker", o.number, "pid", os.Getpid())
	return loop.run()
}

// inheritedListener returns the parent's socket as a listener.
func inheritedListener() (*net.TCPListener, error) {
	file := os.NewFile(inherited, "listener")
	defer file.Close() // the listener has its own descriptor
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("inheriting the parent's socket: %w", err)
	}
	return l.(*net.TCPListener), nil
}

// hangOnSignal makes the loop hang on each SIGUSR1 until SIGUSR2.
func hangOnSignal(loop *mainLoop, signals <-chan os.Signal) {
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

// A mainLoop does all of a worker's work. It sleeps in accept.
type mainLoop struct {
	listener *net.TCPListener
	posted   chan func()
}

// post makes the loop run f, and wakes it up.
func (l *mainLoop) post(f func()) {
	l.posted <- f
	l.listener.SetDeadline(time.Now())
}

// run works until the listener is closed.
func (l *mainLoop) run() error {
	for {
		conn, err := l.listener.AcceptTCP()
		switch {
		case err == nil:
			serve(conn)
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.listener.SetDeadline(time.Time{}) // first, so that it does not undo the next post's deadline
			l.runPosted()
		case errors.Is(err, net.ErrClosed):
			return nil
		default:
			return err
		}
	}
}

// runPosted runs the posted functions.
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

// serve sends the client the worker's process number.
func serve(conn net.Conn) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(writeTimeout))
	fmt.Fprintln(conn, os.Getpid())
}
