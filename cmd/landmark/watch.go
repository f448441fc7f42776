package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// watchCommand shows the changes of services as they happen.
var watchCommand = command{
	name:      "watch",
	arguments: "[NAME]",
	purpose:   "show all services, or one, then each change as it happens, until Ctrl-C",
	prepare: func(flags *flag.FlagSet) action {
		client := statusFlags(flags)
		return func(ctx context.Context, args []string, o output) error {
			name, err := optionalName(args)
			if err != nil {
				return err
			}
			conn, status, err := client.connect()
			if err != nil {
				return err
			}
			defer conn.Close()
			w := &watcher{conn: conn, client: status, name: name, printer: newWatchPrinter(o, client.format, time.Now())}
			return w.run(ctx)
		}
	},
}

// redialDelay is how long a watcher waits before it calls Watch again.
const redialDelay = 250 * time.Millisecond

// watcher watches the service of that name, or all if it is empty, across restarts of
// landmarkd.
type watcher struct {
	conn       *connection
	client     statusv1.StatusServiceClient
	name       string
	printer    *watchPrinter
	connected  bool   // landmarkd has answered once
	lastNotice string // about landmarkd itself
}

// run watches until ctx is done. After the first answer it waits for a landmarkd that is
// away, and for a service that is not known yet. It returns any other error.
func (w *watcher) run(ctx context.Context) error {
	for {
		err := w.watch(ctx)
		switch code := status.Code(err); {
		case ctx.Err() != nil:
			return nil
		case w.connected && code == codes.Unavailable:
			w.notice("lost landmarkd at %s: %s; waiting for it", w.conn.address, cause(status.Convert(err)))
			sleep.For(ctx, redialDelay)
		case w.connected && code == codes.NotFound:
			w.notice("landmarkd is there again, but does not know %s yet; waiting for it", w.name)
			sleep.For(ctx, redialDelay)
		default:
			return w.conn.explain(ctx, err)
		}
	}
}

// watch makes one call of Watch, and returns its error.
func (w *watcher) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The first call fails without a landmarkd; later ones wait for it.
	stream, err := w.client.Watch(ctx, &statusv1.WatchRequest{Service: w.name}, grpc.WaitForReady(w.connected))
	if err != nil {
		return err
	}
	// A header means that landmarkd has accepted the call. Without one, Recv returns why.
	if header, err := stream.Header(); err == nil && header != nil {
		w.connected = true
		if w.lastNotice != "" {
			w.notice("watching again")
		}
	}
	for {
		r, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := w.printer.print(r.GetService(), time.Now()); err != nil {
			return err
		}
	}
}

// notice writes a line about landmarkd itself to standard error, once in a row.
func (w *watcher) notice(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != w.lastNotice {
		fmt.Fprintf(w.printer.err, "landmark: %s\n", terminal.Printable(text))
		w.lastNotice = text
	}
}
