package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// watchCommand tells the changes of services as they happen.
var watchCommand = command{
	name:      "watch",
	arguments: "[NAME]",
	purpose:   "tell how all services are, or one, then each change as it happens, until Ctrl-C",
	prepare: func(flags *flag.FlagSet) action {
		asking := askingFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := someName(args)
			if err != nil {
				return err
			}
			conn, client, err := asking.connect()
			if err != nil {
				return err
			}
			defer conn.Close()
			w := &watcher{conn: conn, client: client, name: name, lines: newLines(o, asking.format, time.Now())}
			return w.run(ctx)
		}
	},
}

// askAgain is how long a watcher waits before it asks again after an end.
const askAgain = 250 * time.Millisecond

// watcher watches the service of that name, all if it is empty, across restarts
// of landmarkd.
type watcher struct {
	conn   *connection
	client statusv1.StatusServiceClient
	name   string
	lines  *lines
	found  bool   // landmarkd has answered once
	said   string // last, of landmarkd itself
}

// run watches until ctx is done, and returns an error if it was no good from
// the beginning.
func (w *watcher) run(ctx context.Context) error {
	for {
		err := w.watch(ctx)
		switch code := status.Code(err); {
		case ctx.Err() != nil:
			return nil
		case w.found && code == codes.Unavailable:
			w.say("lost landmarkd at %s: %s; waiting for it", w.conn.where, cause(status.Convert(err)))
			pause(ctx, askAgain)
		case w.found && code == codes.NotFound:
			w.say("landmarkd is there again, but does not know %s yet; waiting for it", w.name)
			pause(ctx, askAgain)
		default:
			return w.conn.failure(ctx, err)
		}
	}
}

// watch watches until landmarkd ends it, and returns its error.
func (w *watcher) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// At first there must be a landmarkd; later it is waited for.
	stream, err := w.client.Watch(ctx, &statusv1.WatchRequest{Service: w.name}, grpc.WaitForReady(w.found))
	if err != nil {
		return err
	}
	// Without a header nothing was begun, and Recv says why.
	if header, err := stream.Header(); err == nil && header != nil {
		w.found = true
		if w.said != "" {
			w.say("watching again")
		}
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := w.lines.tell(r.GetService(), time.Now()); err != nil {
			return err
		}
	}
}

// say tells what is to be known of landmarkd itself, once.
func (w *watcher) say(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != w.said {
		fmt.Fprintf(w.lines.err, "landmark: %s\n", printable(text))
		w.said = text
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
