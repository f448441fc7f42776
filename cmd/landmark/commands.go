package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"syscall"

	"github.com/landmark-health/landmark/internal/terminal"
)

// commands are the program's commands, in the order of its help.
var commands = []command{statusCommand, watchCommand, historyCommand, replayCommand, drainCommand, resumeCommand, forgetCommand, snippetCommand, execCommand, versionCommand}

// versionCommand prints the version.
var versionCommand = command{
	name:    "version",
	purpose: "print the version",
	prepare: func(*flag.FlagSet) action {
		return func(_ context.Context, args []string, o output) error {
			if len(args) > 0 {
				return badArguments("unexpected argument %q: version takes none", args[0])
			}
			return printVersion(o)
		}
	},
}

func printVersion(o output) error {
	_, err := fmt.Fprintf(o.out, "landmark %s\n", version)
	return err
}

// run runs the command in the arguments until it ends or ctx is done, and returns the
// exit code.
func run(ctx context.Context, args []string, o output) int {
	if len(args) == 0 {
		printUsage(o.err)
		return exitArguments
	}
	var err error
	switch name, rest := args[0], args[1:]; name {
	case "-version", "--version":
		err = printVersion(o)
	case "help", "-h", "-help", "--help":
		err = help(rest, o)
	default:
		var c command
		if c, rest, err = find(commands, "", args); err == nil {
			err = c.run(ctx, rest, o)
		}
	}
	if errors.Is(err, syscall.EPIPE) {
		return 0 // the reader has closed the pipe, as in landmark watch | head
	}
	if err != nil {
		fmt.Fprintf(o.err, "landmark: %s\n", terminal.Printable(err.Error()))
	}
	return exitCode(err)
}

// help explains the program, or the named command.
func help(args []string, o output) error {
	if len(args) == 0 {
		printUsage(o.out)
		return nil
	}
	c, _, err := find(commands, "", args)
	if err == nil {
		c.help(o)
	}
	return err
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "usage: landmark COMMAND [flags] [NAME]")
	fmt.Fprintln(w)
	list(w, commands)
	fmt.Fprintln(w, "\nlandmark help COMMAND lists a command's flags.")
}
