// Command landmark-check asks a Landmark sidecar one question about one service,
// tells the answer in one line, and exits with a code that the asker understands.
// It is made to be run a hundred times a second.
//
//	landmark-check [-addr HOST:PORT] [-service NAME] [-timeout 1s] [-udp | -tcp]
//	               [-max-age D] [-key-file FILE] [-as exec | keepalived]
//
// The modes and their exit codes:
//
//	exec        0 serving, 1 bad arguments, 2 no connection or no answer,
//	            3 refused or unknown service, 4 not serving
//	keepalived  for MISC_CHECK with misc_dynamic: 0 serving, 2 draining, which
//	            is alive at weight 0, 1 all else
//
// ldirectord passes no flags of its own to an external check. So a link to this
// program named ldirectord-SERVICE asks for SERVICE at the address of the real
// server, which is the third argument, port 19533, and exits with 0 for serving
// and 1 for all else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/landmark-health/landmark/lmp/probe"
)

// version is set by the linker.
var version = "devel"

// exitBadArguments is that of every mode: to no asker does it mean serving.
const exitBadArguments = 1

func main() {
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// run does the whole of the program's work and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	begun := time.Now()
	c, err := parseArguments(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		// No success: a checker with a stray -h must not pass for serving.
		return exitBadArguments
	case err != nil:
		fmt.Fprintf(stderr, "landmark-check: %v\n", err)
		return exitBadArguments
	case c.version:
		fmt.Fprintf(stdout, "landmark-check %s\n", version)
		return 0
	}
	ctx, cancel := context.WithDeadline(context.Background(), begun.Add(c.timeout))
	defer cancel()
	answer, err := probe.Ask(ctx, c.question)
	fmt.Fprintln(stdout, line(c.question.Service, answer, err))
	return c.exitCode(answer, err)
}

// check is one run of the program.
type check struct {
	question probe.Question
	timeout  time.Duration // from start to exit
	exitCode exitCode
	version  bool
}

// parseArguments reads the command line, in the way that the program's name asks for.
func parseArguments(args []string, stderr io.Writer) (check, error) {
	// A program may be started without even its name.
	if len(args) > 0 {
		if service, isLink := strings.CutPrefix(filepath.Base(args[0]), linkPrefix); isLink {
			return parseLdirectord(service, args[1:])
		}
		args = args[1:]
	}
	return parseFlags(args, stderr)
}
