// Command gotest runs go test and records what it left out: it appends each skipped
// test to a file, one a line, with the reason.
//
//	gotest FILE ARGUMENT...
//
// The ARGUMENTs are those of go test. The output and the exit status are those of go
// test, with one exception: the exit status is 75 if the only failures are packages
// whose binary printed a line "inconclusive: ..." outside every test.
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

// exitInconclusive is the exit status of an inconclusive run, EX_TEMPFAIL of
// sysexits.h. go test itself only uses 1 for failed tests.
const exitInconclusive = 75

var errInconclusive = errors.New("the tests were inconclusive")

// run runs go test with args and appends the skipped tests to the file leftOut. Its
// error is an *exec.ExitError if go test failed.
func run(leftOut string, args []string) error {
	file, err := os.OpenFile(leftOut, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the list of skipped tests: %w", err)
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

// relay passes every event in r to t. It always reads r to the end, so that a full
// pipe does not block go test.
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
