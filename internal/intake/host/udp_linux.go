package host

import "golang.org/x/sys/unix"

// A socket's memory is the attribute INET_DIAG_SKMEMINFO, numbers of four bytes
// (linux/sock_diag.h, SK_MEMINFO_…). The receive queue of the message is the memory of
// received datagrams without that of those that were read (net/ipv4/udp.c,
// forward_deficit).
const (
	memoryInfo     = 7 // INET_DIAG_SKMEMINFO
	received       = 0 // SK_MEMINFO_RMEM_ALLOC
	receiveBuffer  = 1 // SK_MEMINFO_RCVBUF
	dropped        = 8 // SK_MEMINFO_DROPS
	anyState       = 1<<32 - 1
	closed         = 7 // TCP_CLOSE, the state of a UDP socket that is not connected
	sizeOfMemory   = 4
	sizeOfMemories = (dropped + 1) * sizeOfMemory
)

// udpSockets returns the UDP sockets that are bound to the port.
func udpSockets(n *netlink, port uint16) ([]listener, error) {
	return sockets(n, unix.IPPROTO_UDP, anyState, port, memoryInfo)
}

// readMemory reads the memory of a UDP socket.
func (l *listener) readMemory(m, info []byte) {
	l.connected = m[1] != closed
	l.bytes = native.Uint32(m[56:])
	if len(info) < sizeOfMemories {
		return
	}
	at := func(i int) uint32 { return native.Uint32(info[i*sizeOfMemory:]) }
	l.unfree = at(received) - l.bytes
	l.limit, l.drops = at(receiveBuffer), at(dropped)
}
