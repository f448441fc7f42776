package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/duration"
	"github.com/landmark-health/landmark/internal/keepalived"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// parseArguments parses the command line. The program's name decides how.
func parseArguments(args []string) (check, error) {
	if len(args) > 0 { // a program can be started without a name
		if service, isLink := strings.CutPrefix(filepath.Base(args[0]), linkPrefix); isLink {
			return parseLdirectord(service, args[1:])
		}
		args = args[1:]
	}
	return parseFlags(args)
}

// options are the values of the flags.
type options struct {
	addr, service, keyFile, mode string
	timeout, maxAge              time.Duration
	udp, tcp, version            bool
	weight                       int
}

// newFlags declares the flags, which set o.
func newFlags(o *options) *flag.FlagSet {
	flags := flag.NewFlagSet("landmark-check", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is one line, without the help
	local := net.JoinHostPort("127.0.0.1", strconv.Itoa(lmp.Port))
	flags.StringVar(&o.addr, "addr", local, "send the check to landmarkd at `HOST:PORT`, its -monitor")
	flags.StringVar(&o.service, "service", "", "check the service `NAME`; without it, all services together")
	duration.Var(flags, &o.timeout, "timeout", defaultTimeout, "give up after this `time`, counted from the start")
	flags.BoolVar(&o.udp, "udp", false, "send the check over UDP, which is the default")
	flags.BoolVar(&o.tcp, "tcp", false, "send the check over TCP")
	duration.Var(flags, &o.maxAge, "max-age", 0, "accept no facts older than this `time`, such as 200ms; 0 = as the service is configured")
	flags.Func("key-file", "sign with the first key of `FILE`, and accept only signed answers", func(path string) error {
		if path == "" { // an unset variable in a script must not turn signing off
			return errors.New("give the path of a key file, or leave the flag out to check unsigned")
		}
		o.keyFile = path
		return nil
	})
	flags.StringVar(&o.mode, "as", "exec", "exit with the codes of the `MODE`: exec, keepalived or nagios")
	flags.IntVar(&o.weight, "weight", 0, "with -as keepalived, the server's configured weight `N`, 1 to 253; a degraded server gets a part of it")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	return flags
}

// usage is the help.
func usage() string {
	var text strings.Builder
	flags := newFlags(new(options))
	text.WriteString(`usage: landmark-check [flags]

Checks one service, prints the answer in one line, and exits with the code of the mode:

  -as exec        0 serving, 1 bad arguments, 2 no answer, 3 refused or unknown service,
                  4 not serving; for scripts, Kubernetes and Consul
  -as keepalived  0 serving, 1 down, 2 draining, more with -weight; for MISC_CHECK with
                  misc_dynamic, and nothing else
  -as nagios      0 serving, 1 degraded or draining, 2 not serving or no answer,
                  3 unknown service or bad arguments

-h exits with the code of bad arguments, so that a checker that is configured with it by
mistake never counts as healthy.

`)
	flags.SetOutput(&text)
	flags.PrintDefaults()
	return text.String()
}

// usageError returns the exit code and the output for bad arguments, and for help. Help
// has the same exit code: a checker with a stray -h must not count as healthy. Nagios
// reads only standard output.
func usageError(args []string, err error) (code int, stdout, stderr string) {
	code = 1
	if isNagios(args) {
		code = nagiosUnknown
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return code, "", usage()
	case code == nagiosUnknown:
		return code, nagiosText(code, err.Error()) + "\n", ""
	}
	return code, "", "landmark-check: " + err.Error() + "\n"
}

// isNagios reports whether the arguments have -as nagios. It works with arguments that
// parseFlags rejects.
func isNagios(args []string) bool {
	for i, arg := range args {
		name, value, joined := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		if strings.HasPrefix(arg, "-") && name == "as" && value == "nagios" {
			return true
		}
	}
	return false
}

// parseFlags parses the arguments of the program under its own name.
func parseFlags(args []string) (check, error) {
	var o options
	flags := newFlags(&o)
	if err := flags.Parse(args); err != nil {
		return check{}, fmt.Errorf("%w; landmark-check -h lists the flags", err)
	}
	if flags.NArg() > 0 {
		return check{}, fmt.Errorf("unexpected argument %q; landmark-check takes only flags, such as -service NAME, and -h lists them", flags.Arg(0))
	}
	if o.version {
		if flags.NFlag() > 1 { // exits with 0, so a checker with a stray -version must not get here
			return check{}, errors.New("-version checks nothing: give it alone")
		}
		return check{version: true}, nil
	}
	weighted := false
	flags.Visit(func(f *flag.Flag) { weighted = weighted || f.Name == "weight" })
	if weighted && (o.weight < 1 || o.weight > keepalived.MaxWeight) {
		return check{}, fmt.Errorf("-weight %d is not from 1 to %d: give the weight that keepalived has for this server", o.weight, keepalived.MaxWeight)
	}
	return o.check()
}

// check returns the run that the options describe.
func (o options) check() (check, error) {
	c := check{timeout: o.timeout, request: probe.Request{
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
		return c, fmt.Errorf("-timeout %v is not more than 0: write it as 800ms or 3s", o.timeout)
	}
	if o.maxAge < 0 {
		return c, fmt.Errorf("-max-age %v is less than 0: write it as 250ms, or 0 for the service's own", o.maxAge)
	}
	if o.udp && o.tcp {
		return c, errors.New("-udp and -tcp exclude each other: give one, or none for UDP")
	}
	if o.tcp {
		c.request.Network = "tcp"
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
		c.request.Key = keys[0]
	}
	return c, nil
}
