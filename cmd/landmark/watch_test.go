package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// watching is a run of landmark watch.
type watching struct {
	t        *testing.T
	out, err *bufio.Scanner
	stop     context.CancelFunc // as Ctrl-C does
	code     chan int
}

func startWatch(t *testing.T, args ...string) *watching {
	ctx, stop := context.WithCancel(context.Background())
	outRead, out := io.Pipe()
	errRead, errs := io.Pipe()
	w := &watching{t, bufio.NewScanner(outRead), bufio.NewScanner(errRead), stop, make(chan int, 1)}
	go func() { w.code <- run(ctx, append([]string{"watch"}, args...), output{out: out, err: errs}) }()
	t.Cleanup(func() {
		stop()
		errRead.Close() // the program may write more
		outRead.Close()
	})
	return w
}

// want reads a line, and fails the test unless the text is in it.
func (w *watching) want(lines *bufio.Scanner, text string) {
	w.t.Helper()
	if !lines.Scan() {
		w.t.Fatalf("the output ended; want %q", text)
	}
	if !strings.Contains(lines.Text(), text) {
		w.t.Fatalf("printed %q, want %q", lines.Text(), text)
	}
}

func TestWatchSurvivesRestarts(t *testing.T) {
	path, all := socketPath(t), services(t)
	d := &landmarkd{watched: make(chan *statusv1.Service)}
	stop := d.serve(t, path)
	w := startWatch(t, "-addr", "unix:"+path, "epg")
	d.watched <- all[1]
	w.want(w.out, "epg  NOT_SERVING  stalled")
	stop()
	w.want(w.err, "landmark: lost landmarkd at "+path)

	// The program has not reported to the new landmarkd yet.
	stop = (&landmarkd{err: status.Error(codes.NotFound, "no such service")}).serve(t, path)
	w.want(w.err, "landmarkd is there again, but does not know epg yet")
	stop()

	d.serve(t, path)
	w.want(w.err, "landmark: watching again")
	d.watched <- all[1]
	d.watched <- all[4]
	w.want(w.out, "web  NOT_SERVING  draining") // epg has not changed
	w.stop()
	if code := <-w.code; code != 0 {
		t.Errorf("exit code %d after an interrupt, want 0", code)
	}
}

func TestWatchEndsWhenRefused(t *testing.T) {
	path := socketPath(t)
	d := &landmarkd{err: status.Error(codes.ResourceExhausted, "64 watch already")}
	d.serve(t, path)
	w := startWatch(t, "-addr", "unix:"+path)
	w.want(w.err, "landmark: 64 watch already")
	if code := <-w.code; code != exitRefused {
		t.Errorf("exit code %d, want %d", code, exitRefused)
	}
}

func TestWatchFailsWithoutLandmarkd(t *testing.T) {
	w := startWatch(t, "-addr", "unix:/nonexistent/grpc.sock")
	w.want(w.err, "no answer from a landmarkd at /nonexistent/grpc.sock: dial unix")
	if code := <-w.code; code != exitNoAnswer {
		t.Errorf("exit code %d, want %d", code, exitNoAnswer)
	}
}
