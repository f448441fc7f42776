// Command prefork is a server of several processes, for the tests of services
// that have more than one: a parent binds a socket, and keeps as many workers,
// which inherit it and accept from it. Each worker has a main loop and an
// agent of its own; the parent, which works for nobody, has neither.
//
//	prefork -listen HOST:PORT -workers 4 -service NAME -agent-socket PATH -within 1s [-by-number]
//
// A client that connects is told the process number of the worker that
// accepted it. A worker that ends, for whatever reason, is replaced at once.
// SIGTERM has a worker finish and say goodbye; SIGUSR1 wedges its main loop
// until SIGUSR2. SIGTERM to the parent ends them all.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/agent"
)

// options are what the command line says, to the parent and to each worker.
type options struct {
	listen   string
	workers  int
	place    int // of a worker, from 1; 0 = this is the parent
	byNumber bool
	within   time.Duration
	agent    agent.Config
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "accept clients on `HOST:PORT`")
	flag.IntVar(&o.workers, "workers", 4, "keep `N` workers")
	flag.IntVar(&o.place, "place", 0, "be the worker in place `N`, which the parent says")
	flag.BoolVar(&o.byNumber, "by-number", false, "name each worker by its process number, not by its place")
	flag.DurationVar(&o.within, "within", time.Second, "each main loop answers within this `time`")
	flag.StringVar(&o.agent.Service, "service", "prefork", "report as the service `NAME`")
	flag.StringVar(&o.agent.Socket, "agent-socket", "", "report to the sidecar's socket at `PATH`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	run := o.parent
	if o.place > 0 {
		run = o.worker
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "prefork:", err)
		os.Exit(1)
	}
}

// parent keeps every place filled until ctx is done, and returns when the
// workers have ended.
func (o options) parent(ctx context.Context) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	bound, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer bound.Close()
	// To start a process puts the files that it inherits into blocking mode,
	// which a socket has in common with the workers that are there already,
	// but leaves those alone that were so when they were made.
	socket := os.NewFile(bound.Fd(), bound.Name())
	slog.Info("keeping workers", "listen", listener.Addr().String(), "workers", o.workers)

	var places sync.WaitGroup
	for place := 1; place <= o.workers; place++ {
		places.Go(func() {
			for ctx.Err() == nil {
				err := child(ctx, place, socket).Run()
				slog.Info("worker ended", "place", place, "err", err)
			}
		})
	}
	places.Wait()
	return nil
}

// child is this program once more, as the worker in the place.
func child(ctx context.Context, place int, socket *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(os.Args[1:], "-place", strconv.Itoa(place))...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second // for one that hangs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stderr = os.Stderr
	return cmd
}
