// Command landmark-check sends one check of one service to landmarkd, prints the answer
// in one line, and exits with a code that the checker understands. It is fast enough to
// run a hundred times a second.
//
//	landmark-check [-addr HOST:PORT] [-service NAME] [-timeout 1s] [-udp | -tcp]
//	               [-max-age D] [-key-file FILE]
//	               [-as exec | keepalived [-weight N] | nagios]
//
// The modes and their exit codes:
//
//	exec        0 serving, 1 bad arguments, 2 no connection or no answer,
//	            3 refused or unknown service, 4 not serving
//	keepalived  for MISC_CHECK with misc_dynamic: 0 serving, 2 draining (alive at
//	            weight 0), 1 anything else. With -weight N, the server's configured
//	            weight, a degraded server exits with 2 + its part of N, which is at
//	            least 1.
//	nagios      0 serving, 1 degraded or draining, 2 not serving or no answer,
//	            3 unknown service or bad arguments; the line includes numbers
//
// -h exits with the code of bad arguments. So a checker that is configured with -h by
// mistake never counts as healthy. -version exits with 0, and is an error together with
// any other flag.
//
// The program exits at its -timeout at the latest, whatever the network, landmarkd or the
// reader of the line does. Until then it retries, over UDP and TCP, so that a restart of
// landmarkd is not an error.
//
// ldirectord passes no flags to an external check. So a link to this program named
// ldirectord-SERVICE checks SERVICE at the address of the real server, which is the third
// argument, port 19533. It exits with 0 for serving and 1 for anything else.
//
// It runs on Linux and macOS.
package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the linker.
var version = "devel"

// defaultTimeout is the timeout if -timeout is not given.
const defaultTimeout = time.Second

func main() {
	start := time.Now()
	// The exit code must not depend on whether anyone reads the line.
	signal.Ignore(syscall.SIGPIPE)
	c, err := parseArguments(os.Args)
	switch {
	case err != nil:
		code, stdout, stderr := usageError(os.Args, err)
		deadline := start.Add(defaultTimeout)
		write(os.Stdout, stdout, code, deadline)
		write(os.Stderr, stderr, code, deadline)
		os.Exit(code)
	case c.version:
		write(os.Stdout, "landmark-check "+version+"\n", 0, start.Add(defaultTimeout))
		os.Exit(0)
	}
	os.Exit(c.run(start.Add(c.timeout)))
}
