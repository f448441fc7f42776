package gate

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
)

// intruder is a program of another user. It tries to listen at the port of a gate with one
// address, by way of the wildcard of the other family, and reports whether it can.
func intruder(t *testing.T, gate netip.AddrPort) (listens bool) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user; a program of the same user may share an open port")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := unix.Setfsuid(65534); err != nil {
			t.Error(err)
			return
		}
		listens = canIntrude(t, gate)
	}()
	<-done
	return listens
}

func canIntrude(t *testing.T, gate netip.AddrPort) bool {
	family, wildcard, _ := familyOf(wildcardOf(gate))
	var all []int
	defer func() {
		for _, fd := range all {
			unix.Close(fd)
		}
	}()
	bound := func(family int, address unix.Sockaddr, only bool) bool {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
		if err != nil {
			t.Error(err)
			return false
		}
		all = append(all, fd)
		if family == unix.AF_INET6 {
			err = setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only)
		}
		if err == nil {
			err = share(fd, unix.SO_REUSEPORT, true)
		}
		if err != nil {
			t.Error(err)
			return false
		}
		return unix.Bind(fd, address) == nil
	}
	return bound(family, wildcard, true) &&
		bound(unix.AF_INET6, &unix.SockaddrInet6{Port: int(gate.Port())}, false) && unix.Listen(all[1], 1) == nil
}

// withIPv6 returns a free port at an address of each family.
func withIPv6(t *testing.T) (four, six netip.AddrPort) {
	t.Helper()
	four = freePort(t)
	six = netip.AddrPortFrom(netip.IPv6Loopback(), four.Port())
	if !canListen(six) {
		t.Skip("the host has no IPv6")
	}
	return four, six
}

// No program takes the port of a closed gate with one address by way of the other family,
// before and after the gate was open.
func TestOtherFamilyTakesNoPort(t *testing.T) {
	four, six := withIPv6(t)
	for _, port := range []netip.AddrPort{four, six} {
		f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, port})
		await(t, "the port is reserved", func() bool { return !canListen(port) })
		epg := frontendtest.NewProcess(t, f.registry, "epg")
		for range 2 {
			if intruder(t, port) {
				t.Errorf("a program can listen at the closed gate %v", port)
			}
			epg.Work()
			awaitOpen(t, port, true)
			if intruder(t, port) {
				t.Errorf("a program can listen at the open gate %v", port)
			}
			epg.Stall()
			awaitOpen(t, port, false)
		}
		f.stop()
		if !canListen(four) || !canListen(six) {
			t.Errorf("the port of the gate %v is not given up", port)
		}
	}
}

// Gates at one port share the wildcard of the other family. A reload leaves it to those that
// stay.
func TestGatesShareAPort(t *testing.T) {
	four, six := withIPv6(t)
	second := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), four.Port())
	gates := func(addresses ...netip.AddrPort) (all []Gate) {
		for _, a := range addresses {
			all = append(all, Gate{"epg", judge.Readiness, a})
		}
		return all
	}
	f := start(t, newRegistry(t, 0), gates(four)...)
	epg := frontendtest.NewProcess(t, f.registry, "epg")
	for _, now := range [][]netip.AddrPort{{four}, {four, second}, {second}, {six}, {second}, {four, second}, {four}} {
		epg.Work()
		f.Configure(gates(now...))
		for _, a := range []netip.AddrPort{four, second, six} {
			awaitOpen(t, a, slices.Contains(now, a))
		}
		for range 2 {
			for _, a := range now {
				if intruder(t, a) {
					t.Errorf("gates at %v: a program can listen at %v", now, a)
				}
			}
			epg.Stall()
			for _, a := range now {
				awaitOpen(t, a, false)
			}
		}
	}
	f.Configure(nil)
	await(t, "the ports are given up", func() bool { return canListen(four) && canListen(six) })
}

// A gate whose guard landmarkd must not bind stays closed, because other programs may have
// the family.
func TestForbiddenFamilyIsReported(t *testing.T) {
	four, six := withIPv6(t)
	forbid(t, unix.AF_INET6)
	for _, address := range []netip.AddrPort{six, netip.AddrPortFrom(netip.IPv6Unspecified(), four.Port())} {
		if p, err := reserve(address); !errors.Is(err, errFamilyForbidden) {
			t.Errorf("reserve %v: got %v, %v; want %v", address, p, err, errFamilyForbidden)
		}
	}
	if err := new(wildcards).take(wildcardOf(four)); !errors.Is(err, errFamilyForbidden) {
		t.Errorf("the guard of %v: got error %v, want %v", four, err, errFamilyForbidden)
	}
	forbid(t, unix.AF_INET)
	if err := new(wildcards).take(wildcardOf(six)); !errors.Is(err, errFamilyForbidden) {
		t.Errorf("the guard of %v: got error %v, want %v", six, err, errFamilyForbidden)
	}
}

// forbid makes socket(2) fail for the family in this thread, as RestrictAddressFamilies= of
// systemd does (seccomp(2)). The thread ends with the test.
func forbid(t *testing.T, family uint32) {
	t.Helper()
	runtime.LockOSThread()
	const number, firstArgument = 0, 16 // in struct seccomp_data; the lower half, if that is first
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: unix.SYS_SOCKET},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: firstArgument},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: family},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		t.Fatal(err)
	}
}

// A program that has the wildcard of the other family keeps the port from being reserved,
// which is reported.
func TestTakenWildcardIsReported(t *testing.T) {
	four, _ := withIPv6(t)
	fd, _, err := bindSocket(familyOf(wildcardOf(four)))
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, newRegistry(t, 0), Gate{"epg", judge.Readiness, four})
	frontendtest.NewProcess(t, f.registry, "epg").Work()
	await(t, "the problem is recorded", func() bool {
		g, _ := f.checkers.Gate("epg")
		return g.Problem != "" && f.log.Count("which the gate needs too") > 0
	})
	unix.Close(fd)
	awaitOpen(t, four, true)
}
