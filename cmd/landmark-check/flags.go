package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// maxWeight is the largest weight that MISC_CHECK's exit code, at most 255, can tell.
const maxWeight = 253

// options are what the flags say.
type options struct {
	addr, service, keyFile, mode string
	timeout, maxAge              time.Duration
	udp, tcp, version            bool
	weight                       int
}

// newFlags returns the flags, which write into o.
func newFlags(o *options) *flag.FlagSet {
	flags := flag.NewFlagSet("landmark-check", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line will do, and that is the error
	here := net.JoinHostPort("127.0.0.1", strconv.Itoa(lmp.Port))
	flags.StringVar(&o.addr, "addr", here, "ask the sidecar at `HOST:PORT`, which is its -monitor")
	flags.StringVar(&o.service, "service", "", "ask for the service `NAME`; none is the whole of all services")
	flags.DurationVar(&o.timeout, "timeout", defaultTimeout, "give up after this `time`, counted from the start")
	flags.BoolVar(&o.udp, "udp", false, "ask by UDP, which is the default")
	flags.BoolVar(&o.tcp, "tcp", false, "ask by TCP")
	flags.DurationVar(&o.maxAge, "max-age", 0, "take no facts older than this `time`; 0 leaves it to the service")
	flags.StringVar(&o.keyFile, "key-file", "", "sign with the first key of `FILE`, and take signed answers only")
	flags.StringVar(&o.mode, "as", "exec", "exit as this `mode` has it: exec, keepalived or nagios")
	flags.IntVar(&o.weight, "weight", 0, "with -as keepalived, exit so that a degraded server gets its part of `N`, the configured weight, 1 to 253")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	return flags
}

// usage is the text of the help.
func usage() string {
	var text strings.Builder
	flags := newFlags(new(options))
	text.WriteString("usage: landmark-check [flags]\n")
	flags.SetOutput(&text)
	flags.PrintDefaults()
	return text.String()
}

// parseFlags reads the command line of all but the ldirectord link.
func parseFlags(args []string) (check, error) {
	var o options
	flags := newFlags(&o)
	if err := flags.Parse(args); err != nil {
		return check{}, err
	}
	if flags.NArg() > 0 {
		return check{}, fmt.Errorf("unexpected argument %q; all are flags", flags.Arg(0))
	}
	if o.version {
		if flags.NFlag() > 1 { // its exit code is 0, and a checker with a stray -version is not serving
			return check{}, errors.New("-version asks nobody: give it alone")
		}
		return check{version: true}, nil
	}
	weighted := false
	flags.Visit(func(f *flag.Flag) { weighted = weighted || f.Name == "weight" })
	if weighted && (o.weight < 1 || o.weight > maxWeight) {
		return check{}, fmt.Errorf("-weight %d is not from 1 to %d: write the weight that keepalived has for this server", o.weight, maxWeight)
	}
	return o.check()
}

// check is the run that the options ask for.
func (o options) check() (check, error) {
	c := check{timeout: o.timeout, question: probe.Request{
		Network: "udp",
		Address: o.addr,
		Service: o.service,
		MaxAge:  o.maxAge,
	}}
	if err := probe.ValidateAddress(o.addr); err != nil {
		return c, fmt.Errorf("-addr %w", err)
	}
	if n := len(o.service); n > lmp.MaxService {
		return c, fmt.Errorf("-service has %d bytes and may have %d", n, lmp.MaxService)
	}
	if o.timeout <= 0 {
		return c, fmt.Errorf("-timeout %v is not more than 0: write one as 800ms or 3s", o.timeout)
	}
	if o.maxAge < 0 {
		return c, fmt.Errorf("-max-age %v is less than 0: write one as 250ms, or 0 for the service's own", o.maxAge)
	}
	if o.udp && o.tcp {
		return c, errors.New("-udp and -tcp exclude each other: give one, or none for UDP")
	}
	if o.tcp {
		c.question.Network = "tcp"
	}
	var err error
	if c.mode, err = modeOf(o.mode, o.weight); err != nil {
		return c, err
	}
	if o.keyFile != "" {
		keys, err := lmp.ReadKeys(o.keyFile)
		if err != nil {
			return c, err
		}
		c.question.Key = keys[0]
	}
	return c, nil
}
