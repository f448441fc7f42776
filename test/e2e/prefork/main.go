// Command prefork is a server of several processes, for the tests of services with
// more than one instance. A parent binds a socket and keeps a number of workers
// running, which inherit the socket and accept from it. Each worker has its own main
// loop and agent. The parent serves no clients, so it has neither.
//
//	prefork -listen HOST:PORT -workers 4 -service NAME -agent-socket PATH -within 1s [-by-number]
//
// A client receives the process number of the worker that accepted its connection.
// A worker that ends for any reason is replaced at once. On SIGTERM a worker finishes
// and says goodbye. On SIGUSR1 its main loop hangs until SIGUSR2. SIGTERM to the
// parent ends all workers.
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

// options are the flags, of the parent and of each worker.
type options struct {
	listen   string
	workers  int
	number   int // of a worker, from 1; 0 = this is the parent
	byNumber bool
	within   time.Duration
	agent    agent.Config
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "accept clients on `HOST:PORT`")
	flag.IntVar(&o.workers, "workers", 4, "keep `N` workers")
	flag.IntVar(&o.number, "place", 0, "run as worker `N`; the parent sets it")
	flag.BoolVar(&o.byNumber, "by-number", false, "name each worker by its process number, not by its worker number")
	flag.DurationVar(&o.within, "within", time.Second, "each main loop must answer within this `time`")
	flag.StringVar(&o.agent.Service, "service", "prefork", "report as the service `NAME`")
	flag.StringVar(&o.agent.Socket, "agent-socket", "", "report to the sidecar's socket at `PATH`")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	run := o.parent
	if o.number > 0 {
		run = o.worker
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "prefork:", err)
		os.Exit(1)
	}
}

// parent keeps the workers running until ctx is done, and returns when they have
// ended.
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
	// Starting a process puts the files that it inherits into blocking mode. A socket
	// shares that mode with the workers that are running already. A file made by
	// os.NewFile from a blocking descriptor stays as it is.
	socket := os.NewFile(bound.Fd(), bound.Name())
	slog.Info("keeping workers", "listen", listener.Addr().String(), "workers", o.workers)

	var workers sync.WaitGroup
	for number := 1; number <= o.workers; number++ {
		workers.Go(func() {
			for ctx.Err() == nil {
				err := workerCommand(ctx, number, socket).Run()
				slog.Info("worker ended", "worker", number, "err", err)
			}
		})
	}
	workers.Wait()
	return nil
}

// workerCommand returns a command that runs this program as the worker with the
// number.
func workerCommand(ctx context.Context, number int, socket *os.File) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(os.Args[1:], "-place", strconv.Itoa(number))...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second // for one that hangs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.ExtraFiles = []*os.File{socket}
	cmd.Stderr = os.Stderr
	return cmd
}
