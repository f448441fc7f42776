// Package servicemanager is the sending side of sd_notify(3): a program reports to the
// service manager that started it, such as systemd. It also reads what the service
// manager expects of the program's watchdog (sd_watchdog_enabled(3)).
package servicemanager

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The lines of a notification that have no argument.
const (
	Ready    = "READY=1"    // the program has started, or has read its configuration again
	Stopping = "STOPPING=1" // the program is about to end
	Watchdog = "WATCHDOG=1" // the program works; repeat it at half of WatchdogTimeout
)

const (
	// sendTimeout is how long Send waits for a service manager that does not read.
	sendTimeout = time.Second
	// tryTimeout is the same for TrySend.
	tryTimeout = time.Millisecond
)

// A Notifier sends notifications. A nil Notifier sends nothing: no service manager
// expects any. It may be used by any number of goroutines at once.
type Notifier struct{ address net.UnixAddr }

// FromEnvironment returns the notifier for $NOTIFY_SOCKET, nil if it is not set.
func FromEnvironment() (*Notifier, error) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil, nil
	}
	// A leading @ stands for an abstract socket, in package net as in systemd.
	if address[0] != '/' && address[0] != '@' || len(address) == 1 {
		return nil, fmt.Errorf("$NOTIFY_SOCKET is %q: it must be the absolute path of a Unix socket, or @ and the name of an abstract one", address)
	}
	return At(address), nil
}

// At returns the notifier for the socket at the path.
func At(path string) *Notifier { return &Notifier{net.UnixAddr{Name: path, Net: "unixgram"}} }

// Send sends one notification with the lines. It waits for at most 1 s while the
// service manager does not read.
func (n *Notifier) Send(lines ...string) error { return n.send(lines, sendTimeout) }

// TrySend is Send for a caller that must not wait: it waits for at most 1 ms.
func (n *Notifier) TrySend(lines ...string) error { return n.send(lines, tryTimeout) }

// send connects for each notification, because the service manager may be replaced
// while the program runs.
func (n *Notifier) send(lines []string, timeout time.Duration) error {
	if n == nil || len(lines) == 0 {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &n.address)
	if err == nil {
		defer conn.Close()
		conn.SetWriteDeadline(time.Now().Add(timeout))
		_, err = conn.Write([]byte(strings.Join(lines, "\n")))
	}
	if err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	return nil
}

// Relay sends a notification of another process, with its descriptors. It waits until the
// service manager reads, or ctx is done.
func (n *Notifier) Relay(ctx context.Context, notification []byte, descriptors []int) error {
	if n == nil {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &n.address)
	if err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Now()) })()
	if err := sendWith(conn, notification, descriptors); err != nil {
		return fmt.Errorf("notifying the service manager: %w", err)
	}
	return nil
}

// sendWith sends a datagram with descriptors, which package net does not on a connected
// socket. On one that is not connected, it could not wait until the receiver reads.
func sendWith(conn *net.UnixConn, data []byte, descriptors []int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var rights []byte
	if len(descriptors) > 0 {
		rights = syscall.UnixRights(descriptors...)
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		_, failed = syscall.SendmsgN(int(fd), data, rights, nil, 0)
		return !errors.Is(failed, syscall.EAGAIN)
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendmsg", failed)
}

// Reloading returns the lines that begin a reload at the time in microseconds of
// CLOCK_MONOTONIC. Ready ends the reload.
func Reloading(monotonic uint64) []string {
	return []string{"RELOADING=1", "MONOTONIC_USEC=" + strconv.FormatUint(monotonic, 10)}
}

// maxStatus is the maximum length of a status in bytes. systemd ignores a notification
// of more than 4096 bytes.
const maxStatus = 1024

// Status returns the line that shows text to people, "" for none.
func Status(text string) string {
	if len(text) > maxStatus {
		text = text[:maxStatus]
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f { // a new line would begin another assignment
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return "STATUS=" + text
}

// WatchdogTimeout returns the time after which the service manager treats the program as
// hung if it does not receive Watchdog, 0 if it does not expect that of this process. It
// reads $WATCHDOG_USEC and $WATCHDOG_PID.
func WatchdogTimeout() (time.Duration, error) {
	text := os.Getenv("WATCHDOG_USEC")
	if text == "" {
		return 0, nil
	}
	if pid := os.Getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0, nil // it expects that of another process
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/int64(time.Microsecond) {
		return 0, fmt.Errorf("$WATCHDOG_USEC is %q: it must be a positive number of microseconds", text)
	}
	return time.Duration(n) * time.Microsecond, nil
}
