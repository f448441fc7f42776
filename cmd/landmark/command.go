package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// command is something that the program can be told to do.
type command struct {
	name      string
	arguments string // besides flags
	purpose   string // in one line
	// of are the commands that it consists of, if it does nothing by itself.
	of []command
	// prepare declares the command's flags, and returns what does it once they
	// are read.
	prepare func(*flag.FlagSet) action
}

// action does what a command is there for. Its arguments are those that are no
// flags.
type action func(ctx context.Context, args []string, o output) error

// find returns the command that the arguments name, and the arguments that
// follow. All are of the command that is named whole, "" for the program.
func find(of []command, whole string, args []string) (command, []string, error) {
	for _, c := range of {
		if c.name != args[0] {
			continue
		}
		c.name = strings.TrimSpace(whole + " " + c.name)
		rest := args[1:]
		if len(c.of) == 0 || len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
			return c, rest, nil
		}
		return find(c.of, c.name, rest)
	}
	if strings.HasPrefix(args[0], "-") {
		return command{}, nil, badArguments("the command comes before its flags: write landmark %s, not landmark %s",
			strings.TrimSpace(whole+" COMMAND "+args[0]), strings.TrimSpace(whole+" "+args[0]))
	}
	name := strings.TrimSpace(whole + " " + args[0])
	return command{}, nil, badArguments("there is no command %q: %s lists them", name, strings.TrimSpace("landmark help "+whole))
}

// run reads the command line and does what the command is there for.
func (c command) run(ctx context.Context, args []string, o output) error {
	flags := c.flags()
	do := c.declare(flags)
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

// declare declares the command's flags, and returns what does it once they are
// read.
func (c command) declare(flags *flag.FlagSet) action {
	if len(c.of) == 0 {
		return c.prepare(flags)
	}
	return func(_ context.Context, _ []string, o output) error {
		c.help(o.out)
		return nil
	}
}

// help explains the command.
func (c command) help(w io.Writer) {
	flags := c.flags()
	c.declare(flags)
	if len(c.of) > 0 {
		fmt.Fprintf(w, "usage: landmark %s %s [flags]\n\nTo %s:\n\n", c.name, c.arguments, c.purpose)
		list(w, c.of)
		fmt.Fprintf(w, "\nlandmark %s %s -h lists the flags.\n", c.name, c.arguments)
		return
	}
	fmt.Fprintf(w, "usage: %s\n\nTo %s.\n\n", strings.TrimSpace("landmark "+c.name+" [flags] "+c.arguments), c.purpose)
	flags.SetOutput(w)
	flags.PrintDefaults()
}

// list lists commands, each with what it is for.
func list(w io.Writer, commands []command) {
	width := 0
	for _, c := range commands {
		width = max(width, len(c.name))
	}
	for _, c := range commands {
		fmt.Fprintf(w, "  %-*s  %s\n", width, c.name, c.purpose)
	}
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
