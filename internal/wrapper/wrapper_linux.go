package wrapper

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/rule"
	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/servicemanager"
)

// Config says what to run.
type Config struct {
	Command  []string      // the program and its arguments
	Service  string        // the service that it reports to landmarkd
	Watchdog time.Duration // the timeout of its watchdog; 0 = that of the service manager, if there is one
	Sidecar  string        // the path of landmarkd's notify.sock
	// Warn is called with what is wrong in the program's notifications. It must not wait.
	Warn func(error)
}

// managerTimeout is how long the service manager is waited for after the program has
// ended.
const managerTimeout = time.Second

// Run runs the program until it ends, and returns how. The error is a *StartError if the
// program could not be run.
func Run(c Config) (Status, error) {
	signals := catch()
	status, err := run(c, signals)
	if err != nil && status == (Status{}) {
		if _, ok := err.(*StartError); !ok {
			err = &StartError{Failed, err}
		}
	}
	return status, err
}

func run(c Config, signals chan os.Signal) (Status, error) {
	path, err := exec.LookPath(c.Command[0])
	if err != nil {
		if look, ok := err.(*exec.Error); ok {
			err = look.Err
		}
		return Status{}, &StartError{failure(err), fmt.Errorf("cannot run %s: %w", c.Command[0], err)}
	}
	manager, err := servicemanager.FromEnvironment()
	if err != nil {
		return Status{}, err
	}
	expected, err := servicemanager.WatchdogTimeout()
	if err != nil {
		return Status{}, err
	}
	timeout := c.Watchdog
	if timeout == 0 {
		timeout = expected
	}
	if expected > 0 && timeout > expected {
		return Status{}, fmt.Errorf("-watchdog %v is longer than the %v of the service manager ($WATCHDOG_USEC), which would end the program: give %v or less", timeout, expected, expected)
	}
	s, err := openSocket()
	if err != nil {
		return Status{}, err
	}
	defer s.close()
	env, pids := environment(s.path, timeout)
	child, err := startChild(path, c.Command, env, pids)
	if err != nil {
		return Status{}, err
	}
	defer child.reap()

	began := time.Now()
	now := func() rule.Instant { return rule.Instant(time.Since(began)) }
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	sidecar := newSidecar(c.Sidecar, c.Service, child.pid, now)
	if timeout > 0 {
		sidecar.said.setTimeout(timeout, now())
	}
	waiting, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	relay := &relay{ctx: waiting, pid: child.pid, manager: manager, filter: managerFilter{timeout: expected}, sidecar: sidecar, now: now, warn: c.Warn}
	socket, err := sdnotify.NewSocket(s.conn, relay.handle)
	if err != nil {
		return Status{}, err
	}
	socket.ReceiveFiles()
	var receiving sync.WaitGroup
	receiving.Go(func() { socket.Run() })
	go sidecar.run(ctx)
	go forward(signals, child)

	status, err := child.awaitExit()
	defer time.AfterFunc(managerTimeout, giveUp).Stop()
	socket.Drain()
	s.close()
	receiving.Wait()
	if status.regular() || sidecar.stops() {
		sidecar.stopped()
	}
	stop()
	<-sidecar.ended
	return status, err
}
