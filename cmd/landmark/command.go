package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// command is a command of the program, or of another command.
type command struct {
	name      string
	arguments string // besides flags
	purpose   string // in one line
	// wraps means that the arguments are another program and its arguments: flags of the
	// command come before them.
	wraps bool
	// commands are its subcommands. A command that has any does nothing else.
	commands []command
	// prepare declares the command's flags and returns the action. The action runs
	// after the flags are parsed.
	prepare func(*flag.FlagSet) action
}

// action does the work of a command. The arguments are those that are not flags.
type action func(ctx context.Context, args []string, o output) error

// find returns the command that the arguments name, and the arguments behind it. Its
// name is the full one, with those of the commands above it. The given commands are
// those of parent, "" for the program.
func find(commands []command, parent string, args []string) (command, []string, error) {
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		c.name = strings.TrimSpace(parent + " " + c.name)
		rest := args[1:]
		if len(c.commands) == 0 || len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
			return c, rest, nil
		}
		return find(c.commands, c.name, rest)
	}
	if strings.HasPrefix(args[0], "-") {
		return command{}, nil, badArguments("the command comes before its flags: write landmark %s, not landmark %s",
			strings.TrimSpace(parent+" COMMAND "+args[0]), strings.TrimSpace(parent+" "+args[0]))
	}
	return command{}, nil, unknownCommand(commands, parent, args[0])
}

// unknownCommand is the error for a name that is not among the commands.
func unknownCommand(commands []command, parent, name string) error {
	full := strings.TrimSpace(parent + " " + name)
	helps := strings.TrimSpace("landmark help " + parent)
	if near := nearest(commands, name); near != "" {
		return badArguments("there is no command %q: did you mean %q? %s lists all", full, strings.TrimSpace(parent+" "+near), helps)
	}
	return badArguments("there is no command %q: %s lists all", full, helps)
}

// nearest returns the command whose name is most like the given one, "" if none is.
func nearest(commands []command, name string) string {
	const maxEdits = 2
	near, least := "", maxEdits+1
	for _, c := range commands {
		// Half the letters must be right: any two words of two letters are two edits apart.
		if n := edits(name, c.name); n < least && 2*n < len(c.name) {
			near, least = c.name, n
		}
	}
	return near
}

// edits returns the number of letters to insert, delete or replace to get from a to b
// (the Levenshtein distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1) // row[j] is the distance from a[:i] to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// run parses the flags and calls the action.
func (c command) run(ctx context.Context, args []string, o output) error {
	flags := c.flags()
	do := c.declare(flags)
	rest, err := parse(flags, args, c.wraps)
	switch {
	case errors.Is(err, flag.ErrHelp):
		c.help(o)
		return nil
	case err != nil && c.wraps:
		return exitError{execFailed, fmt.Errorf("%w; landmark help %s lists the flags", err, c.name)}
	case err != nil:
		return badArguments("%v; landmark help %s lists the flags", err, c.name)
	}
	return do(ctx, rest, o)
}

func (c command) flags() *flag.FlagSet {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is one line, without the help
	return flags
}

// declare declares the command's flags and returns its action.
func (c command) declare(flags *flag.FlagSet) action {
	if len(c.commands) == 0 {
		return c.prepare(flags)
	}
	return func(_ context.Context, _ []string, o output) error {
		c.help(o)
		return nil
	}
}

// help explains the command.
func (c command) help(o output) {
	flags := c.flags()
	c.declare(flags)
	if len(c.commands) > 0 {
		fmt.Fprintf(o.out, "usage: landmark %s %s [flags]\n\n%s:\n\n", c.name, c.arguments, capitalize(c.purpose))
		list(o.out, c.commands)
		fmt.Fprintf(o.out, "\nlandmark %s %s -h lists the flags.\n", c.name, c.arguments)
		return
	}
	line := "landmark " + c.name
	hasFlags := false
	flags.VisitAll(func(*flag.Flag) { hasFlags = true })
	if hasFlags {
		line += " [flags]"
	}
	fmt.Fprintf(o.out, "usage: %s\n\n%s.\n", strings.TrimSpace(line+" "+c.arguments), capitalize(c.purpose))
	if hasFlags {
		var b strings.Builder
		flags.SetOutput(&b)
		flags.PrintDefaults()
		for line := range strings.Lines("\n" + b.String()) {
			start, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t") // before the description
			fmt.Fprintln(o.out, o.Hang(strings.Replace(start, "    ", "        ", 1), text))
		}
	}
}

// capitalize returns the text with its first letter, of ASCII, in upper case.
func capitalize(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// list lists commands, each with its purpose.
func list(w io.Writer, commands []command) {
	width := 0
	for _, c := range commands {
		width = max(width, len(c.name))
	}
	for _, c := range commands {
		fmt.Fprintf(w, "  %-*s  %s\n", width, c.name, c.purpose)
	}
}

// parse parses flags and other arguments, and returns the others. They may be in any order,
// unless the others come last.
func parse(flags *flag.FlagSet, args []string, othersLast bool) (rest []string, err error) {
	if othersLast {
		err := flags.Parse(args)
		return flags.Args(), err
	}
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

// requiredName returns the only argument, the name of a service.
func requiredName(args []string) (string, error) {
	if len(args) == 0 {
		return "", badArguments("which service? Give its name; landmark status lists them")
	}
	return optionalName(args)
}

// optionalName returns the only argument, the name of a service, or "" if there is
// none.
func optionalName(args []string) (string, error) {
	switch {
	case len(args) > 1:
		return "", badArguments("unexpected argument %q: one service at a time", args[1])
	case len(args) == 1 && args[0] == "":
		return "", badArguments("the service's name is empty: give one that landmark status lists")
	case len(args) == 0:
		return "", nil
	}
	return args[0], nil
}
