package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/test/freeport"
)

// floodedGates floods the gate of a healthy service and that of a hung one, which
// follow the verdict all the time. Afterwards landmarkd must have no more descriptors
// and threads than before.
func floodedGates(s *scene) {
	var gates [2]string
	yaml := "services:\n"
	for i, service := range []string{"well", "hung"} {
		var err error
		gates[i], err = freeport.Address()
		s.must(err)
		s.checkers.connect(gates[i], service)
		yaml += fmt.Sprintf("  %s: {gate: %q}\n", service, gates[i])
	}
	_, hung := s.startPair(s.config(yaml)...)
	before := s.sidecar.descriptors()
	flood := s.attack("gate flood", gates[0], attackerUID)
	other := s.attack("gate flood", gates[1], attackerUID)
	s.runFor(time.Second, 15*time.Second)
	s.change("hung", healthy, func() { hung.signal(syscall.SIGUSR2) })
	s.runFor(time.Second, 2*time.Second)
	s.change("hung", unhealthy, func() { hung.signal(syscall.SIGUSR1) })
	s.runFor(time.Second, 15*time.Second)
	s.noteRate("connections to the open gate", flood)
	flood.kill()
	other.kill()
	s.note("%s", timeWait())
	// A checker may have a connection just now.
	const margin = 16
	if !await(timeout, func() bool { return s.sidecar.descriptors() <= before+margin }) {
		s.fail("landmarkd has %d open descriptors after the flood, and had %d before it", s.sidecar.descriptors(), before)
	}
}

// descriptors returns how many descriptors landmarkd has open.
func (d *sidecar) descriptors() int {
	open, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.pid()))
	return len(open)
}

// timeWait returns the kernel's count of TCP sockets (proc_net_sockstat(5)): tw are in
// the state TIME_WAIT.
func timeWait() string {
	stat, _ := os.ReadFile("/proc/net/sockstat")
	for line := range strings.Lines(string(stat)) {
		if strings.HasPrefix(line, "TCP:") {
			return strings.TrimSpace(line)
		}
	}
	return "no sockstat"
}

// floodGate makes up to 12,000 connections a second from 256 addresses, and writes how
// many were made. Most it closes at once, one of four it resets, and at one of 16 it
// waits until the gate closes it.
func floodGate(ctx context.Context, target string) error {
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return err
	}
	gate := &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	count := newCounter("connections")
	for n := 0; ctx.Err() == nil; n++ {
		conn, err := connectFrom([4]byte{127, 0, 66, byte(n)}, gate)
		if err != nil {
			time.Sleep(time.Millisecond) // it is closed
		} else {
			count.add(1)
			switch {
			case n%4 == 1:
				unix.SetsockoptLinger(conn, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			case n%16 == 2:
				unix.Poll([]unix.PollFd{{Fd: int32(conn), Events: unix.POLLIN}}, 1000)
			}
			unix.Close(conn)
		}
		count.pace(12_000)
	}
	return nil
}

// connectFrom connects from the address. On the loopback interface the kernel makes the
// connection during the call, or not at all.
func connectFrom(address [4]byte, to unix.Sockaddr) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	// The port is chosen when it connects. Otherwise ports would be used up.
	err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: address})
	}
	if err == nil {
		if err = unix.Connect(fd, to); err == unix.EINPROGRESS {
			_, err = unix.Getpeername(fd) // fails if it is not connected
		}
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}
