// Command landmark is the operator's tool. It shows the services of a landmarkd, why
// they are as they are, and what they were; takes them out and in; and prints
// configuration for programs that check them.
//
//	landmark status  [-addr HOST:PORT|unix:PATH] [-o table|json] [NAME]
//	landmark watch   [-addr HOST:PORT|unix:PATH] [-o table|json] [NAME]
//	landmark history [-addr HOST:PORT|unix:PATH] [-o table|json] NAME
//	landmark drain   [-admin-socket PATH] [-wait D] [-until-gone] NAME
//	landmark resume  [-admin-socket PATH] NAME
//	landmark forget  [-admin-socket PATH] NAME
//	landmark snippet PROGRAM [flags]
//	landmark exec    [-service NAME] [-watchdog D] -- COMMAND [ARGUMENT…]
//	landmark help    [COMMAND]
//	landmark version
//
// Exit codes: 0 done, 1 bad arguments, 2 no connection, no answer, or the output
// failed, 3 unknown service, or refused, 5 interrupted before it was done. The status
// of a service makes no difference; for an exit code that depends on it, run
// landmark-check.
//
// landmark exec ends as COMMAND does: with its exit status, or by its signal, which a shell
// shows as 128 plus the signal's number. Otherwise 125 landmark itself failed, 126 COMMAND
// cannot be run, 127 it was not found.
//
// It runs on Linux and macOS, landmark exec only on Linux.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/landmark-health/landmark/internal/logqueue"
	"github.com/landmark-health/landmark/internal/terminal"
)

// version is set by the linker.
var version = "devel"

func main() {
	becomeProgram()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	errs := logqueue.Stderr()
	code := run(ctx, os.Args[1:], output{out: os.Stdout, err: errs, Screen: terminal.ScreenOf(os.Stdout)})
	errs.Close()
	os.Exit(code)
}
