package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/landmark-health/landmark/lmp"
)

// options are the values of the flags.
type options struct {
	dir     string
	targets []target
	key     *lmp.Key // nil = none
	version bool
}

// parseFlags parses the command line. Only the help is written to stdout.
func parseFlags(args []string, stdout io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("landmark-watch", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is one line, without the help
	flags.StringVar(&o.dir, "dir", "", "write the track files into `DIR`, which must exist; best under /run")
	flags.Func("target", "keep DIR/NAME at the value of a service: `NAME=HOST:PORT/SERVICE[,weight=N]`; may be repeated", func(s string) error {
		t, err := parseTarget(s)
		o.targets = append(o.targets, t)
		return err
	})
	var keyFile string
	flags.Func("key-file", "sign with the first key of `FILE`, and accept only signed answers", func(path string) error {
		if path == "" { // an unset variable in a script must not turn signing off
			return errors.New("give the path of a key file, or leave the flag out to check unsigned")
		}
		keyFile = path
		return nil
	})
	flags.BoolVar(&o.version, "version", false, "print the version and exit")

	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stdout, "usage: landmark-watch -dir DIR -target NAME=HOST:PORT/SERVICE[,weight=N] … [flags]")
		flags.SetOutput(stdout)
		flags.PrintDefaults()
	}
	if err != nil {
		return o, fmt.Errorf("%w; landmark-watch -h lists the flags", err)
	}
	if o.version {
		return o, nil
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; landmark-watch takes only flags, and -h lists them", flags.Arg(0))
	}
	if o.dir == "" {
		return o, errors.New("-dir is missing: give the directory of keepalived's track files")
	}
	if len(o.targets) == 0 {
		return o, errors.New("-target is missing: give one for each real server, such as rs1=10.0.0.7:19533/epg")
	}
	names := make(map[string]bool)
	for _, t := range o.targets {
		if names[t.name] {
			return o, fmt.Errorf("-target %s is given twice: each needs a file of its own", t.name)
		}
		names[t.name] = true
	}
	if keyFile != "" {
		keys, err := lmp.ReadKeys(keyFile)
		if err != nil {
			return o, err
		}
		o.key = keys[0]
	}
	return o, nil
}
