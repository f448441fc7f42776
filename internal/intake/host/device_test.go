package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// listenOnDevice listens on a socket that is bound to the device.
func listenOnDevice(t *testing.T, network, address, device string) {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) {
			err = errors.Join(unix.BindToDevice(int(fd), device), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
		})
		return err
	}}
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// viewOf returns a view of the host now.
func viewOf(t *testing.T, at netip.AddrPort) *view {
	t.Helper()
	route := newNetlink(unix.NETLINK_ROUTE)
	t.Cleanup(route.close)
	began := time.Now()
	return &view{
		route: route, diag: diag(t),
		now:       func() time.Duration { return time.Since(began) },
		listeners: make(map[uint16]*cached[[]listener]),
		queues:    map[netip.AddrPort]*queue{at: {within: time.Second}},
		counted:   make(map[netip.AddrPort]*cached[[]listener]),
	}
}

// A socket that is bound to a device does not count as listening: connections through
// other devices do not reach it.
func TestSocketBoundToADeviceDoesNotListen(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	ip(t, "link add eth0 type veth peer name eth1")
	ip(t, "link set eth0 up")
	ip(t, "link set eth1 up")
	ip(t, "addr add 10.0.0.7/24 dev eth1")
	ip(t, "addr add fe80::7/64 dev eth1 nodad")
	listenOnDevice(t, "tcp", ":5401", "eth1")
	listenOnDevice(t, "tcp4", "10.0.0.7:5402", "eth1")
	listenOnDevice(t, "tcp", ":5403", "lo")
	listenOnDevice(t, "tcp", ":5404", "eth1")
	listenOn(t, "tcp", ":5404", unix.SO_REUSEPORT)
	listenOn(t, "tcp6", "[fe80::7%eth1]:5405")
	for _, tt := range []struct{ at, why string }{
		{":5401", "nothing listens on TCP port 5401, only a socket bound to device eth1"},
		{"10.0.0.7:5401", "nothing listens on TCP 10.0.0.7:5401, only a socket bound to device eth1"},
		{"10.0.0.7:5402", "nothing listens on TCP 10.0.0.7:5402, only a socket bound to device eth1"},
		{"10.0.0.8:5402", "nothing listens on TCP 10.0.0.8:5402, only at 10.0.0.7"},
		{":5403", "nothing listens on TCP port 5403, only a socket bound to device lo"},
		{":5404", ""},
		{"10.0.0.7:5404", ""},
		{":5405", ""}, // bound to its interface by its address only
		{"[fe80::7]:5405", ""},
	} {
		at, err := netip.ParseAddrPort(tt.at)
		if port, every := strings.CutPrefix(tt.at, ":"); every {
			at, err = netip.ParseAddrPort("0.0.0.0:" + port)
			at = netip.AddrPortFrom(netip.Addr{}, at.Port())
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []judge.Kind{judge.KindCondition, judge.KindDeadline} {
			fact, err := viewOf(t, at).check(&registry.HostLandmark{Declared: judge.Declared{Kind: kind}, Port: at})
			if err != nil {
				t.Fatal(err)
			}
			if (fact.Reason == "") != (tt.why == "") || !strings.HasPrefix(fact.Reason, tt.why) {
				t.Errorf("%d of %v: %q, want %q", kind, tt.at, fact.Reason, tt.why)
			}
			if bad := !fact.Met && kind == judge.KindCondition || fact.Unreadable; bad != (tt.why != "") {
				t.Errorf("%d of %v: %+v", kind, tt.at, fact)
			}
		}
	}

	// A connection that waits at a socket bound to a device counts for that socket.
	dial(t, "127.0.0.1:5403")
	dial(t, "127.0.0.1:5404")
	n := diag(t)
	eventually(t, "both wait", func() bool {
		got := fmt.Sprint(listening(t, n, 5403), "; ", listening(t, n, 5404))
		return strings.Count(got, "with 1") == 2
	})
	for port, device := range map[uint16]string{5403: "lo", 5404: ""} {
		all, err := listeners(n, port)
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := connections(n, unix.AF_INET6, port)
		if err != nil || len(waiting) != 1 {
			t.Fatalf("on port %d %v wait, %v", port, waiting, err)
		}
		own := receivers(all, waiting[0])
		if len(own) != 1 || (own[0].device != 0) != (device != "") || own[0].queue != 1 {
			t.Errorf("on port %d %+v was received by %+v", port, waiting[0], own)
		}
	}
}
