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
			want := map[string]string{"X_LANDMARK_OPEN=work": "0", "X_LANDMARK_LEVEL=queue": "15", "X_LANDMARK_CONDITION=ready": "1:the last"}
			last := readLast(r, cmd, want)
			if last.err != nil {
				t.Fatalf("%v\n%s", last.err, last.output)
			}
			want["STOPPING=1"] = ""
			if !last.has(want) {
				t.Errorf("got %q, want %q and no drain", last.state, want)
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

// has reports whether landmarkd knows what is wanted, and of no drain.
func (s *lastState) has(want map[string]string) bool {
	for key, value := range want {
		if got, ok := s.state[key]; !ok || got != value {
			return false
		}
	}
	_, drains := s.state["X_LANDMARK_DRAIN=1"]
	return !drains
}

// readLast runs a program and reads what it sends. Some times it leaves and comes back.
// Then it stays, and ends the program once that has sent what is wanted.
func readLast(r *receiver, cmd *exec.Cmd, want map[string]string) (last lastState) {
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
	const all = 5 // restarts
	restarts, restartAt := 0, time.Now().Add(20*time.Millisecond)
	timeout := time.Now().Add(testTimeout)
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
			if restarts < all && time.Now().After(restartAt) {
				break
			}
		}
		if restarts == all && (last.has(want) || time.Now().After(timeout)) {
			stdin.Close()
		}
		if restarts < all && time.Now().After(restartAt) {
			restarts++
			r.leave()
			select {
			case <-ended:
			case <-time.After(10 * time.Millisecond):
			}
			r.listen()
			clear(last.state)
			restartAt = time.Now().Add(50 * time.Millisecond)
			if restarts == all {
				if _, err := stdin.Write([]byte("x")); err != nil {
					r.t.Errorf("it does not read: %v", err)
				}
			}
		}
	}
	running.Wait()
	return last
}
