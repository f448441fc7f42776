//go:build linux

package c_test

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// Many threads, a signal handler and children may call everything at once, while
// landmarkd restarts again and again. In the end landmarkd knows the last state.
func TestThreads(t *testing.T) {
	for _, tt := range []struct{ name, compiler, flags, rounds string }{
		{"race", "gcc", "-fsanitize=thread", "5000"},
		{"address and undefined", "gcc", "-fsanitize=address,undefined -fno-sanitize-recover=all", "10000"},
		{"C++", "clang++", "-x c++ -std=c++11", "50000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			flags := tt.flags + " -O1 -D_GNU_SOURCE -pthread " + warnings
			program := compile(t, tt.compiler, flags, "threads "+tt.name, "threads.c", "implementation.c")
			r := newReceiver(t)
			cmd := exec.Command(program, tt.rounds)
			cmd.Env = []string{"LANDMARK_NOTIFY_SOCKET=" + r.path, "TSAN_OPTIONS=halt_on_error=1 die_after_fork=0"}
			last := readLast(r, cmd)
			if last.err != nil {
				t.Fatalf("%v\n%s", last.err, last.output)
			}
			for key, want := range map[string]string{
				"X_LANDMARK_OPEN=work": "0", "X_LANDMARK_LEVEL=queue": "15", "X_LANDMARK_CONDITION=ready": "1:the last",
				"STOPPING=1": "",
			} {
				if got, ok := last.state[key]; !ok || got != want {
					t.Errorf("%s: got %q, %t, want %q", key, got, ok, want)
				}
			}
			if _, ok := last.state["X_LANDMARK_DRAIN=1"]; ok {
				t.Error("got a drain, want that it was taken back")
			}
			t.Logf("%d datagrams", last.datagrams)
		})
	}
}

// lastState is what a landmarkd knows at the end of a program.
type lastState struct {
	err       error
	output    []byte
	state     map[string]string // by the key and name
	datagrams int
}

// readLast runs a program and reads what it sends. Some times it leaves and comes back.
func readLast(r *receiver, cmd *exec.Cmd) (last lastState) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return lastState{err: err}
	}
	var running sync.WaitGroup
	ended := make(chan struct{})
	running.Go(func() {
		defer close(ended)
		last.output, last.err = cmd.CombinedOutput()
	})
	last.state = make(map[string]string)
	restarts, restartAt := 0, time.Now().Add(20*time.Millisecond)
	for alive := true; alive; {
		select {
		case <-ended:
			alive = false // after one more look
		default:
		}
		for {
			got, ok := r.receive(time.Millisecond)
			if !ok {
				break
			}
			last.datagrams++
			for _, line := range got.lines {
				key, value := line, ""
				if strings.HasPrefix(line, "X_LANDMARK_LEVEL") || strings.HasPrefix(line, "X_LANDMARK_CONDITION") || strings.HasPrefix(line, "X_LANDMARK_OPEN") {
					key, value, _ = strings.Cut(line, ":")
				}
				if line == "X_LANDMARK_DRAIN=0" {
					delete(last.state, "X_LANDMARK_DRAIN=1")
				}
				last.state[key] = value
			}
			if restarts < 5 && time.Now().After(restartAt) {
				break
			}
		}
		if restarts < 5 && time.Now().After(restartAt) {
			restarts++
			r.leave()
			select {
			case <-ended:
			case <-time.After(10 * time.Millisecond):
			}
			r.listen()
			clear(last.state)
			restartAt = time.Now().Add(50 * time.Millisecond)
			if restarts == 5 {
				stdin.Close()
			}
		}
	}
	running.Wait()
	return last
}
