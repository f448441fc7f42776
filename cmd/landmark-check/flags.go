package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// parseFlags reads the command line of all but the ldirectord link. It writes to
// stderr only if it was asked for help.
func parseFlags(args []string, stderr io.Writer) (check, error) {
	c := check{question: probe.Question{Network: "udp", Kind: lmp.KindCheck}}
	flags := flag.NewFlagSet("landmark-check", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line will do, and that is the error
	here := net.JoinHostPort("127.0.0.1", strconv.Itoa(lmp.Port))
	flags.StringVar(&c.question.Address, "addr", here, "ask the sidecar at `HOST:PORT`, which is its -monitor")
	flags.StringVar(&c.question.Service, "service", "", "ask for the service `NAME`; none is the whole of all services")
	flags.DurationVar(&c.timeout, "timeout", time.Second, "give up after this `time`, counted from the start")
	udp := flags.Bool("udp", false, "ask by UDP, which is the default")
	tcp := flags.Bool("tcp", false, "ask by TCP")
	flags.DurationVar(&c.question.MaxAge, "max-age", 0, "take no facts older than this `time`; 0 leaves it to the service")
	keyFile := flags.String("key-file", "", "sign with the first key of `FILE`, and take signed answers only")
	mode := flags.String("as", "exec", "exit as this `mode` has it: exec or keepalived")
	flags.BoolVar(&c.version, "version", false, "print the version and exit")

	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stderr)
		flags.PrintDefaults()
	}
	if err != nil || c.version {
		return c, err
	}
	if flags.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q; all are flags", flags.Arg(0))
	}
	if _, port, err := net.SplitHostPort(c.question.Address); err != nil || port == "" {
		return c, fmt.Errorf("-addr %q is not HOST:PORT, as 10.0.0.7:%d or [2001:db8::7]:%d", c.question.Address, lmp.Port, lmp.Port)
	}
	if n := len(c.question.Service); n > lmp.MaxService {
		return c, fmt.Errorf("-service has %d bytes and may have %d", n, lmp.MaxService)
	}
	if c.timeout <= 0 {
		return c, fmt.Errorf("-timeout %v is not more than 0", c.timeout)
	}
	if c.question.MaxAge < 0 {
		return c, fmt.Errorf("-max-age %v is less than 0", c.question.MaxAge)
	}
	if *udp && *tcp {
		return c, errors.New("-udp and -tcp exclude each other")
	}
	if *tcp {
		c.question.Network = "tcp"
	}
	if c.exitCode, err = exitCodeOf(*mode); err != nil {
		return c, err
	}
	if *mode == "exec" {
		c.question.Kind = lmp.KindDescribe // people read it, and want to know why
	}
	if *keyFile != "" {
		keys, err := lmp.ReadKeys(*keyFile)
		if err != nil {
			return c, err
		}
		c.question.Key = keys[0]
	}
	return c, nil
}
