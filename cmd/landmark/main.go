// Command landmark is the operator's tool: it tells how a sidecar's services
// are, why, and what they were, takes them out and in, and prints configuration
// for programs that ask the sidecar.
//
//	landmark status  [-addr HOST:PORT|unix:PATH] [-o table|json] [NAME]
//	landmark watch   [-addr HOST:PORT|unix:PATH] [-o table|json] [NAME]
//	landmark history [-addr HOST:PORT|unix:PATH] [-o table|json] NAME
//	landmark drain   [-admin-socket PATH] [-wait D] NAME
//	landmark resume  [-admin-socket PATH] NAME
//	landmark forget  [-admin-socket PATH] NAME
//	landmark snippet PROGRAM [flags]
//	landmark help    [COMMAND]
//	landmark -version
//
// Exit codes: 0 it was told or done, 1 bad arguments, 2 no connection or no
// answer, 3 unknown service, or refused, 5 interrupted before it was done. How
// a service is makes no difference: to have an exit code of that, ask
// landmark-check.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/landmark-health/landmark/internal/logqueue"
)

// version is stamped by the linker.
var version = "devel"

// commands are what the program can be told to do, in the order of its help.
var commands = []command{statusCommand, watchCommand, historyCommand, drainCommand, resumeCommand, forgetCommand, snippetCommand}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	errs := logqueue.Stderr()
	code := run(ctx, os.Args[1:], output{out: os.Stdout, err: errs, colours: wantsColours(os.Stdout)})
	errs.Close()
	os.Exit(code)
}

// run does what the arguments say until ctx is done, and returns the exit code.
func run(ctx context.Context, args []string, o output) int {
	if len(args) == 0 {
		printUsage(o.err)
		return exitArguments
	}
	var err error
	switch name, rest := args[0], args[1:]; name {
	case "-version", "--version":
		_, err = fmt.Fprintf(o.out, "landmark %s\n", version)
	case "help", "-h", "-help", "--help":
		err = help(rest, o.out)
	default:
		var c command
		if c, rest, err = find(commands, "", args); err == nil {
			err = c.run(ctx, rest, o)
		}
	}
	if errors.Is(err, syscall.EPIPE) {
		return 0 // the reader has seen enough, as in landmark watch | head
	}
	if err != nil {
		fmt.Fprintf(o.err, "landmark: %s\n", printable(err.Error()))
	}
	return exitCode(err)
}

// help explains the program, or the command that is named.
func help(args []string, w io.Writer) error {
	if len(args) == 0 {
		printUsage(w)
		return nil
	}
	c, _, err := find(commands, "", args)
	if err == nil {
		c.help(w)
	}
	return err
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "usage: landmark COMMAND [flags] [NAME]")
	fmt.Fprintln(w)
	list(w, commands)
	fmt.Fprintln(w, "\nlandmark help COMMAND lists a command's flags; landmark -version tells the version.")
}
