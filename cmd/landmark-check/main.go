// Command landmark-check asks a Landmark sidecar one question about one service,
// tells the answer in one line, and exits with a code that the checker understands.
// It is made to be run a hundred times a second.
//
//	landmark-check [-addr HOST:PORT] [-service NAME] [-timeout 1s] [-udp | -tcp]
//	               [-max-age D] [-key-file FILE]
//	               [-as exec | keepalived [-weight N] | nagios]
//
// The modes and their exit codes:
//
//	exec        0 serving, 1 bad arguments, 2 no connection or no answer,
//	            3 refused or unknown service, 4 not serving
//	keepalived  for MISC_CHECK with misc_dynamic: 0 serving, 2 draining, which
//	            is alive at weight 0, 1 all else; with -weight N, the weight that
//	            the server is configured with, a degraded one exits with 2 more
//	            than its part of it, which is at least 1
//	nagios      0 serving, 1 degraded or draining, 2 not serving or no answer,
//	            3 unknown service or bad arguments; the line has the numbers too
//
// However the network, the sidecar or whoever reads the line behave, it is gone by its
// -timeout. A sidecar that is restarted meanwhile is asked once it is back, by UDP and
// TCP alike.
//
// ldirectord passes no flags of its own to an external check. So a link to this
// program named ldirectord-SERVICE asks for SERVICE at the address of the real
// server, which is the third argument, port 19533, and exits with 0 for serving
// and 1 for all else.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/lmp/probe"
)

// version is set by the linker.
var version = "devel"

// defaultTimeout is what the program gives itself if it is not told.
const defaultTimeout = time.Second

func main() {
	begun := time.Now()
	// Who does not read the line is still told the exit code.
	signal.Ignore(syscall.SIGPIPE)
	c, err := parseArguments(os.Args)
	switch {
	case err != nil:
		code, stdout, stderr := misuse(os.Args, err)
		deadline := begun.Add(defaultTimeout)
		tell(os.Stdout, stdout, code, deadline)
		tell(os.Stderr, stderr, code, deadline)
		os.Exit(code)
	case c.version:
		tell(os.Stdout, "landmark-check "+version+"\n", 0, begun.Add(defaultTimeout))
		os.Exit(0)
	}
	os.Exit(c.run(begun.Add(c.timeout)))
}

// check is one run of the program.
type check struct {
	mode     mode
	question probe.Request // of the mode's kind
	timeout  time.Duration // from start to exit
	version  bool
}

// run asks, tells what came of it, and returns the exit code.
func (c check) run(deadline time.Time) int {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	c.question.Kind = c.mode.kind
	answer, err := probe.Do(ctx, c.question)
	code := c.mode.code(answer, err)
	tell(os.Stdout, c.mode.line(c.question.Service, answer, err)+"\n", code, deadline)
	return code
}

// telling is what the line gets that only the deadline brought: it takes microseconds,
// if anybody reads it.
const telling = 20 * time.Millisecond

// tell writes the text. If that is not done by the deadline, because nobody reads a
// pipe that is full, the program exits with the code: that counts more.
func tell(w io.Writer, text string, code int, deadline time.Time) {
	defer time.AfterFunc(max(time.Until(deadline), telling), func() { os.Exit(code) }).Stop()
	io.WriteString(w, text)
}

// parseArguments reads the command line, in the way that the program's name asks for.
func parseArguments(args []string) (check, error) {
	// A program may be started without even its name.
	if len(args) > 0 {
		if service, isLink := strings.CutPrefix(filepath.Base(args[0]), linkPrefix); isLink {
			return parseLdirectord(service, args[1:])
		}
		args = args[1:]
	}
	return parseFlags(args)
}
