package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// command is something that the program can be told to do.
type command struct {
	name      string
	arguments string // besides flags
	purpose   string // in one line
	// prepare declares the command's flags, and returns what does it once they
	// are read.
	prepare func(*flag.FlagSet) action
}

// action does what a command is there for. Its arguments are those that are no
// flags.
type action func(ctx context.Context, args []string, o output) error

// find returns the command of that name.
func find(name string) (command, error) {
	for _, c := range commands {
		if c.name == name {
			return c, nil
		}
	}
	return command{}, badArguments("there is no command %q: landmark help lists them", name)
}

// run reads the command line and does what the command is there for.
func (c command) run(ctx context.Context, args []string, o output) error {
	flags := c.flags()
	do := c.prepare(flags)
	rest, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(o.out)
		return nil
	case err != nil:
		return badArguments("%v; landmark help %s lists the flags", err, c.name)
	}
	return do(ctx, rest, o)
}

func (c command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // one line will do, and that is the error
	return flags
}

// help explains the command.
func (c command) help(w io.Writer) {
	flags := c.flags()
	c.prepare(flags)
	fmt.Fprintf(w, "usage: landmark %s [flags] %s\n\nTo %s.\n\n", c.name, c.arguments, c.purpose)
	flags.SetOutput(w)
	flags.PrintDefaults()
}

// parse reads flags and other arguments, in whatever order they come, and
// returns the latter.
func parse(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// oneName returns the service's name that has to be the only argument.
func oneName(args []string) (string, error) {
	if len(args) == 0 {
		return "", badArguments("which service? Give its name; landmark status lists them")
	}
	return someName(args)
}

// someName returns the service's name that may be the only argument, "" if
// there is none.
func someName(args []string) (string, error) {
	switch {
	case len(args) > 1:
		return "", badArguments("unexpected argument %q: one service at a time", args[1])
	case len(args) == 1 && args[0] == "":
		return "", badArguments("the service's name is empty")
	case len(args) == 0:
		return "", nil
	}
	return args[0], nil
}
