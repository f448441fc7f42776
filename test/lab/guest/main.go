// Command guest plays one scenario in a machine that boots only for it. It builds the network, starts the director, the
// real servers and the clients, plays the events of the scenario, and writes a journal of what happened to standard
// output. The test on the host checks the journal. At the end it halts the machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// runLimit ends a scenario that hangs, early enough that the host still reads the journal.
const runLimit = 20 * time.Minute

// main reads its settings from the environment, which is the kernel's command line: LAB_SCENARIO is a scenario's name,
// LAB_PROGRAMS the directory of the programs under test, LAB_REPEATS how often the pushed ways are measured, LAB_CROWD how
// many connections are open at a drain, and LAB_FACTOR a factor of the timeouts.
func main() {
	j := journal.NewWriter(os.Stdout)
	if err := play(j, os.Getenv("LAB_SCENARIO"), os.Getenv("LAB_PROGRAMS")); err != nil {
		j.Failure(err)
	}
	fmt.Print(logTails())
	if err := j.End(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := halt(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play runs the scenario. A panic becomes an error, so that the machine is halted in any case.
func play(j *journal.Writer, name, programs string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	scenario, known := scenarios[name]
	if !known {
		return fmt.Errorf("no scenario is named %q", name)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), runLimit,
		fmt.Errorf("the scenario took longer than %v: this host is too busy for the laboratory, or something hangs", runLimit))
	defer cancel()
	err = scenario.play(ctx, j, programs)
	if err != nil {
		listing, listErr := ipvsadm("-Ln")
		err = errors.Join(err, listErr)
		fmt.Printf("%s", listing)
	}
	return err
}

// halt switches the machine off after the console has written everything.
func halt() error {
	const drain = 1 // TCSBRK with a non-zero argument waits for the output, as tcdrain(3) does
	if err := unix.IoctlSetInt(int(os.Stdout.Fd()), unix.TCSBRK, drain); err != nil {
		return fmt.Errorf("draining the console: %w", err)
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		return fmt.Errorf("halting the machine: %w", err)
	}
	return nil
}
