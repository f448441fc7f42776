// Command epgd is a small server of a programme guide (EPG) with a binary
// protocol of its own and one main loop, and Landmark's agent in it: an example
// of a program that no balancer can ask over HTTP.
//
//	epgd [-listen HOST:PORT] [-service epg] [-instance NAME] [-within 1s] [-agent-socket PATH]
//	epgd -ask HOST:PORT
//
// SIGUSR1 wedges the main loop: the process, its port and its agent stay
// alive, and nobody gets a programme. SIGUSR2 frees it. SIGTERM and SIGINT say
// goodbye and end the program.
//
// Exit codes: 0 ended by a signal, or -ask got a programme within 1 s; 1 could
// not serve, or -ask got none; 2 bad arguments.
package main

import (
	"context"
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
	"github.com/landmark-health/landmark/internal/logqueue"
)

// version is stamped by the linker.
var version = "devel"

// options are what the command line says.
type options struct {
	listen  string
	ask     string
	within  time.Duration
	agent   agent.Config
	version bool
}

func main() {
	log := logqueue.Stderr()
	code := run(os.Args[1:], log)
	log.Close()
	os.Exit(code)
}

func run(args []string, log io.Writer) int {
	o, err := parse(args)
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		return complain(log, 2, err)
	case o.version:
		fmt.Println("epgd", version)
		return 0
	case o.ask != "":
		p, err := fetch(o.ask)
		if err != nil {
			return complain(log, 1, err)
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
		questions: make(chan question),
		landmark:  marks.Loop("main loop", o.within),
		signals:   notify(syscall.SIGUSR1, syscall.SIGUSR2),
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return complain(log, 1, err)
	}
	o.agent.Landmarks, o.agent.Logger = marks, slog.Default()
	a, err := agent.Start(o.agent)
	if err != nil {
		return complain(log, 2, err)
	}
	defer a.Close() // says goodbye, whether or not the loop still turns

	go loop.run(ctx) // not waited for: it may hang
	slog.Info("serving programmes", "listen", listener.Addr().String(), "service", o.agent.Service)
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	if err := serve(listener, loop.questions); err != nil {
		return complain(log, 1, err)
	}
	return 0
}

// notify returns a channel that receives the signals, in their order.
func notify(signals ...os.Signal) <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, signals...)
	return c
}

// complain says in one line what is wrong.
func complain(log io.Writer, code int, err error) int {
	fmt.Fprintln(log, "epgd:", err)
	return code
}

// parse reads the command line.
func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("epgd", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line, and complain's
	flags.StringVar(&o.listen, "listen", "127.0.0.1:9000", "serve programmes on `HOST:PORT`")
	flags.StringVar(&o.ask, "ask", "", "ask the server at `HOST:PORT` for a programme, instead of serving")
	flags.StringVar(&o.agent.Service, "service", "epg", "report as the service `NAME`")
	flags.StringVar(&o.agent.Instance, "instance", "", "report as the instance `NAME`; the process's id if empty")
	flags.StringVar(&o.agent.Socket, "agent-socket", "", "report to the sidecar's socket at `PATH`; $LANDMARK_SOCKET, or where landmarkd has it, if empty")
	flags.DurationVar(&o.within, "within", time.Second, "the main loop answers within this `time`")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case err == flag.ErrHelp:
		fmt.Println("usage: epgd [flags]")
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w; epgd -help lists the flags", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; all are flags", flags.Arg(0))
	}
	return o, nil
}
