package gate

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// backlog is how many connections the kernel completes before landmarkd accepts
	// one. It is so small because a landmarkd that is stopped itself accepts none:
	// after so many checks the port no longer answers, although landmarkd could not
	// close it. It is large enough for the checkers of a service to check at once.
	backlog = 16
	// batch is how many connections are accepted before close takes effect.
	batch = 64
	// acceptRetry is how long to wait after an error of accept(2). Most of them pass,
	// such as EMFILE and ENOBUFS.
	acceptRetry = 20 * time.Millisecond
)

// port is a TCP port that is reserved for this process. While it is closed, it is
// bound but does not listen: the kernel refuses connections, and other programs
// cannot listen on it, however hard they try while it opens and closes. To open it is
// one call of listen(2), to close it one of shutdown(2), after which Linux lets the
// socket listen again.
type port struct {
	socket *os.File
	conn   syscall.RawConn // of socket
	alone  bool            // no other program has bound it
}

// reserve returns the port at the address, closed. If it is not alone, another program may
// have bound it too; see tryListen.
func reserve(address netip.AddrPort) (*port, error) {
	fd, alone, err := bind(address)
	if err != nil {
		return nil, err
	}
	socket := os.NewFile(uintptr(fd), "gate")
	conn, err := socket.SyscallConn()
	if err != nil {
		socket.Close()
		return nil, err
	}
	return &port{socket, conn, alone}, nil
}

// bind returns a socket that is bound to the address. As with net.Listen, an
// unspecified address is that of both IPv4 and IPv6, if the host has IPv6.
func bind(address netip.AddrPort) (fd int, alone bool, err error) {
	ip, number := address.Addr(), int(address.Port())
	if ip.Is4() && !ip.IsUnspecified() {
		return bindSocket(unix.AF_INET, &unix.SockaddrInet4{Port: number, Addr: ip.As4()}, true)
	}
	all6 := &unix.SockaddrInet6{Port: number}
	if !ip.IsUnspecified() {
		all6.Addr = ip.As16()
		return bindSocket(unix.AF_INET6, all6, true)
	}
	fd, alone, err = bindSocket(unix.AF_INET6, all6, false)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		return bindSocket(unix.AF_INET, &unix.SockaddrInet4{Port: number}, true)
	}
	return fd, alone, err
}

// bindSocket binds a new socket, of one family or of both. It reports whether the socket is
// alone at the port: neither another one nor a connection that was closed lately has it.
func bindSocket(family int, address unix.Sockaddr, oneFamily bool) (fd int, alone bool, err error) {
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT) && hasFamily(family):
		return 0, false, errFamilyForbidden
	case err != nil:
		return 0, false, os.NewSyscallError("socket", err)
	}
	if family == unix.AF_INET6 {
		err = setOption(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, oneFamily)
	}
	if err == nil {
		err = os.NewSyscallError("bind", unix.Bind(fd, address))
	}
	alone = err == nil
	if errors.Is(err, unix.EADDRINUSE) { // by connections that were closed lately, or by a program
		if err = share(fd, unix.SO_REUSEADDR, true); err == nil {
			err = os.NewSyscallError("bind", unix.Bind(fd, address))
		}
		err = errors.Join(err, share(fd, unix.SO_REUSEADDR, false))
	}
	if err != nil {
		unix.Close(fd)
		return 0, false, err
	}
	return fd, alone, nil
}

// errFamilyForbidden means that other programs have an address family that landmarkd must not
// use. Without it they could listen at the port of a closed gate.
var errFamilyForbidden = errors.New("landmarkd must not use IPv4 or IPv6")

// hasFamily reports whether the host has the address family. The kernel has IPv4 always, and
// the file if it has IPv6.
func hasFamily(family int) bool {
	if family != unix.AF_INET6 {
		return true
	}
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

// share sets whether other sockets may be bound to the port: any (SO_REUSEADDR), or
// those of this user (SO_REUSEPORT). Bind and listen need one of the two if connections
// that were closed lately still have the port. With SO_REUSEADDR a program of any user
// may listen there, unless this socket does. So it is set only while the port is open,
// for the connections to inherit it, and for bind if there are such.
func share(fd, option int, allowed bool) error {
	return setOption(fd, unix.SOL_SOCKET, option, allowed)
}

func setOption(fd, level, option int, on bool) error {
	value := 0
	if on {
		value = 1
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
}

// set opens or closes the port. Connections that wait to be accepted when it is
// closed are reset.
func (p *port) set(open bool) (err error) {
	failed := p.conn.Control(func(fd uintptr) {
		if open {
			err = listen(int(fd))
		} else {
			err = shut(int(fd))
		}
	})
	if err = errors.Join(failed, err); err == nil && open {
		p.alone = true
	}
	return err
}

// tryListen opens the port for a moment, but accepts nothing. It returns an error if
// another program has bound the port, which might listen there.
func (p *port) tryListen() (err error) {
	// A request that comes in that moment gets no answer. The kernel of its client sends
	// it again after a second.
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	failed := p.conn.Control(func(fd uintptr) {
		err = os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}))
		if err != nil {
			return
		}
		if err = listen(int(fd)); err == nil {
			err = shut(int(fd))
		}
		err = errors.Join(err, setOption(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, false))
	})
	if err = errors.Join(failed, err); err == nil {
		p.alone = true
	}
	return err
}

// listen opens the port of a socket. If it fails, the port stays reserved.
func listen(fd int) error {
	err := share(fd, unix.SO_REUSEPORT, true)
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err == nil {
		err = share(fd, unix.SO_REUSEADDR, true)
	}
	if err != nil {
		_ = unix.Shutdown(fd, unix.SHUT_RD) // ENOTCONN if it does not listen
		err = errors.Join(err, share(fd, unix.SO_REUSEPORT, false))
	}
	return err
}

// shut closes the port of a socket, which stays reserved.
func shut(fd int) error {
	err := share(fd, unix.SO_REUSEADDR, false) // while no other program can listen
	if err == nil {
		err = os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_RD))
	}
	if err == nil {
		err = share(fd, unix.SO_REUSEPORT, false)
	}
	return err
}

// close gives the port up.
func (p *port) close() { p.socket.Close() }

// accept closes each connection to the port, and then calls accepted with the address
// of its client. It calls failed if it cannot accept one. It returns when the port is
// given up.
func (p *port) accept(ctx context.Context, accepted func(netip.Addr), failed func(error)) {
	for {
		var broken error
		err := p.conn.Read(func(fd uintptr) (done bool) {
			for range batch {
				conn, client, err := unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
				switch err {
				case nil:
					// One that came while the port opened or closed did not inherit it. It
					// would keep the port from being bound again for a minute.
					_ = share(conn, unix.SO_REUSEADDR, true)
					unix.Close(conn)
					accepted(addressOf(client))
				case unix.EAGAIN, unix.EINVAL: // EINVAL: the port is closed
					return false
				case unix.EINTR, unix.ECONNABORTED:
				default:
					broken = os.NewSyscallError("accept", err)
					return true
				}
			}
			return true
		})
		if err != nil {
			return
		}
		if broken != nil {
			failed(broken)
			sleep.For(ctx, acceptRetry)
		}
	}
}

// addressOf returns the address of a client, in the form of checkers.Checker.From.
func addressOf(client unix.Sockaddr) netip.Addr {
	switch c := client.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(c.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(c.Addr).Unmap()
	}
	return netip.Addr{}
}
