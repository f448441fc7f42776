// Command gotest runs go test and keeps count of what it left out: each
// skipped test is appended to a file, one a line, with the reason it gave.
//
//	gotest FILE ARGUMENT...
//
// The ARGUMENTs are go test's. What is printed is what go test itself would
// print, and the exit status is go test's, but 75 if nothing failed except
// packages whose binary printed a line "inconclusive: ..." outside every test:
// their tests came to no conclusion.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: gotest FILE ARGUMENT...")
		os.Exit(2)
	}
	err := run(os.Args[1], os.Args[2:])
	if errors.Is(err, errInconclusive) {
		os.Exit(exitInconclusive)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

// exitInconclusive is the exit status of a run that came to no conclusion,
// EX_TEMPFAIL of sysexits.h. go test itself reports no other status than 1.
const exitInconclusive = 75

var errInconclusive = errors.New("the tests came to no conclusion")

// run is main without the exit: its error is an *exec.ExitError where go test
// itself failed.
func run(leftOut string, args []string) error {
	file, err := os.OpenFile(leftOut, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the list of what is left out: %w", err)
	}
	defer file.Close()

	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	t := newTranscript(os.Stdout, file, slices.Contains(args, "-v"))
	relayed := relay(t, stdout)
	err = errors.Join(cmd.Wait(), relayed)
	if err != nil && t.inconclusive() {
		return errInconclusive
	}
	return err
}

// relay hands every event in r to t. It reads to the end whatever happens, so
// that go test is never held up by a full pipe.
func relay(t *transcript, r io.Reader) error {
	decoder := json.NewDecoder(r)
	for {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			_, _ = io.Copy(io.Discard, r)
			return fmt.Errorf("reading go test's events: %w", err)
		}
		t.add(e)
	}
}
