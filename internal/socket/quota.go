package socket

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

// Quota says how the connections of a listener are divided among its clients.
type Quota[K comparable] struct {
	// Limit is the number of connections that may be open at once.
	Limit int
	// PerClient is the number that one client may have open; 0 means Limit.
	PerClient int
	// Client returns the client that a connection counts for: a user, or an
	// address. A connection for which it returns an error is closed.
	Client func(net.Conn) (K, error)
	// Privileged reports whether a client has no limit of its own and is never
	// closed in favour of a client that is not privileged; nil means none is.
	Privileged func(K) bool
	// ActiveWithin protects a proven connection that was in use within this time from
	// newcomers of the same client: the newcomer is closed instead. With 0 a
	// newcomer always displaces the idlest.
	ActiveWithin time.Duration
	// Closed is called, by the goroutine that accepts, for each connection that
	// is closed because there are too many; with the client whose it was.
	Closed func(K)
}

// QuotaByUser divides n connections of a Unix listener among users. Root and
// the user that this process runs as are privileged.
func QuotaByUser(n int, closed func(uid uint32)) Quota[uint32] {
	return Quota[uint32]{Limit: n, Client: ByUser, Privileged: Privileged, Closed: closed}
}

// QuotaByAddress divides n connections of a TCP listener among addresses.
func QuotaByAddress(n int, closed func(netip.Prefix)) Quota[netip.Prefix] {
	return Quota[netip.Prefix]{Limit: n, Client: ByAddress, Closed: closed}
}

// LimitPer returns a listener that keeps l's connections within the quota.
//
// While there are slots, every client may take as many as it wants. When there
// are none, a newcomer displaces the idlest connection of the client that has
// the most, which may be the newcomer's own. A connection is idle since it last
// received or sent a byte; one that was not proven (see Prove) is idler than any
// that was. A newcomer for which no slot can be found is closed at once, so that
// its client sees that it is refused, and nothing waits in the queue behind it.
//
// A slot is free again when its connection has been closed.
func LimitPer[K comparable](l net.Listener, q Quota[K]) net.Listener {
	if q.PerClient == 0 {
		q.PerClient = q.Limit
	}
	return &limitedListener[K]{Listener: l, quota: q, slots: newSlots[K](), start: time.Now()}
}

// limitedListener is a listener whose connections each have a slot.
type limitedListener[K comparable] struct {
	net.Listener
	quota Quota[K]
	slots *slots[K]
	start time.Time // from which the times of use are counted
}

func (l *limitedListener[K]) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if conn := l.admit(accepted); conn != nil {
			return conn, nil
		}
	}
}

// admit gives the connection a slot and returns it, or closes it and returns
// nil.
func (l *limitedListener[K]) admit(accepted net.Conn) net.Conn {
	client, err := l.quota.Client(accepted)
	if err != nil {
		accepted.Close()
		return nil
	}
	conn := &slotConn{Conn: accepted, start: l.start}
	conn.touch()
	for {
		displaced, from, ok := l.slots.reserve(conn, client, &l.quota)
		switch {
		case !ok:
			l.quota.Closed(client)
			accepted.Close()
			return nil
		case displaced == nil:
			return conn
		}
		l.quota.Closed(from)
		displaced.Close() // which frees its slot
	}
}

// MarkProven marks a connection that a divided listener accepted as one whose client
// has sent a request that is answered. The connection may be wrapped in others
// that have a NetConn method, as a tls.Conn has.
func MarkProven(conn net.Conn) {
	for {
		switch c := conn.(type) {
		case *slotConn:
			if !c.proven.Load() {
				c.proven.Store(true)
			}
			return
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return
		}
	}
}

// ByUser returns the user at the other end of a Unix connection.
func ByUser(conn net.Conn) (uint32, error) {
	unix, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.New("the connection is not the kernel's")
	}
	peer, err := PeerOf(unix)
	return peer.UID, err
}

// Privileged reports whether the user is root or the one that this process runs
// as.
func Privileged(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }
