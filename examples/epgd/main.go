// Command epgd is a small server for a programme guide (EPG), with a binary
// protocol, one main loop, and Landmark's agent. It is an example of a program
// that a load balancer cannot check over HTTP.
//
//	epgd [-listen HOST:PORT] [-service epg] [-instance NAME] [-within 1s] [-agent-socket PATH] [-notify]
//	epgd -ask HOST:PORT
//
// SIGUSR1 makes the main loop hang: the process, its port and its agent stay
// alive, but no client gets a programme. SIGUSR2 lets the loop continue. SIGTERM
// and SIGINT end the program with a goodbye to landmarkd. With -notify it also reports
// to systemd: see docs/embedding.md.
//
// Exit codes: 0 ended by a signal, or -ask got a programme within 1 s; 1 could
// not serve, or -ask got no programme; 2 bad arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/agent"
	"github.com/landmark-health/landmark/agent/landmark"
)

// version is set by the linker.
var version = "devel"

// options are the flags.
type options struct {
	listen  string
	ask     string
	within  time.Duration
	agent   agent.Config
	version bool
}

func main() {
	// Otherwise Go ends the program at the first log line that no one can read.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, log io.Writer) int {
	o, err := parse(args)
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return printError(log, 2, err)
	case o.version:
		fmt.Println("epgd", version)
		return 0
	case o.ask != "":
		p, err := fetch(o.ask)
		if err != nil {
			return printError(log, 1, err)
		}
		fmt.Println(p)
		return 0
	}
	return o.serve(log)
}

// serve runs the server until a signal ends it, and returns the exit code.
func (o options) serve(log io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))

	marks := landmark.NewSet()
	loop := &mainLoop{
		requests: make(chan pendingRequest),
		landmark: marks.Loop("main loop", o.within),
		signals:  notify(syscall.SIGUSR1, syscall.SIGUSR2),
	}
	listener, err := net.Listen("tcp", o.listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return printError(log, 1, fmt.Errorf("-listen %s: %w; stop the program that listens there, or choose another address", o.listen, syscall.EADDRINUSE))
	}
	if err != nil {
		return printError(log, 1, fmt.Errorf("-listen %s: %w; give HOST:PORT with an address of this host, such as 127.0.0.1:9000", o.listen, err))
	}
	o.agent.Landmarks = marks
	o.agent.Logger = slog.Default() // it logs where the agent reports, or why it cannot
	a, err := agent.Start(o.agent)
	if err != nil {
		return printError(log, 2, err)
	}
	defer a.Close() // says goodbye, even if the loop hangs

	go loop.run(ctx) // do not wait for it: it may hang
	// On a goroutine, because it waits for the reader of standard error.
	go slog.Info("serving programmes", "listen", listener.Addr().String(), "service", o.agent.Service)
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	if err := serve(listener, loop.requests); err != nil {
		return printError(log, 1, err)
	}
	return 0
}

// notify returns a channel that receives the signals in their order.
func notify(signals ...os.Signal) <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, signals...)
	return c
}

// printError writes the error in one line and returns code.
func printError(log io.Writer, code int, err error) int {
	fmt.Fprintln(log, "epgd:", err)
	return code
}

// parse parses the command line.
func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("epgd", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // printError prints the error, in one line
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9000", "serve programmes on `HOST:PORT`")
	flags.StringVar(&o.ask, "ask", "", "get a programme from the server at `HOST:PORT` instead of serving")
	flags.StringVar(&o.agent.Service, "service", "epg", "report as the service `NAME`")
	flags.StringVar(&o.agent.Instance, "instance", "", "report as the instance `NAME`; if empty, a unique name with the process number")
	flags.StringVar(&o.agent.Socket, "agent-socket", "", "report to landmarkd's socket at `PATH`; if empty, $LANDMARK_SOCKET or landmarkd's default")
	flags.BoolVar(&o.agent.ServiceManager, "notify", false, "report also to the service manager that started the program, for systemd's Type=notify and WatchdogSec=")
	flags.DurationVar(&o.within, "within", time.Second, "the main loop must answer within this `time`")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Print("usage: epgd [flags]\n\n" +
			"epgd serves a programme guide and reports its main loop to landmarkd.\n" +
			"SIGUSR1 makes the main loop hang, SIGUSR2 lets it continue.\n\n")
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; epgd -h lists the flags", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; epgd takes only flags, and -h lists them", flags.Arg(0))
	}
	return o, nil
}
