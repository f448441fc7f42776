package socket

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Quota says how the connections of a listener are divided among its clients.
type Quota[K comparable] struct {
	// Limit is the number of connections that may be open at once.
	Limit int
	// PerClient is the number that one client may have open; 0 means Limit.
	PerClient int
	// Client returns the client that a connection counts for: a user or an
	// address. A connection for which it returns an error is closed.
	Client func(net.Conn) (K, error)
	// Privileged reports whether a client is exempt from PerClient and is never
	// displaced by a client that is not privileged; nil means no client is.
	Privileged func(K) bool
	// ActiveWithin protects a connection that was answered, and was used within this
	// time, from new connections of the same client: the new one is closed instead. If
	// it is 0, a new connection always displaces the idlest one.
	ActiveWithin time.Duration
	// Closed is called for each connection that is closed because too many are
	// open, with its client. The goroutine that accepts calls it.
	Closed func(K)
}

// QuotaByUser divides n connections of a Unix listener among users. Root and the
// user of this process are privileged.
func QuotaByUser(n int, closed func(uid uint32)) Quota[uint32] {
	return Quota[uint32]{Limit: n, Client: ByUser, Privileged: Privileged, Closed: closed}
}

// QuotaByAddress divides n connections of a TCP listener among addresses.
func QuotaByAddress(n int, closed func(netip.Prefix)) Quota[netip.Prefix] {
	return Quota[netip.Prefix]{Limit: n, Client: ByAddress, Closed: closed}
}

// LimitPer returns a listener with at most q.Limit open connections, and at most
// q.PerClient of each client.
//
// Until q.Limit is reached, each client may open connections up to q.PerClient.
// Then a new connection displaces the idlest one of the client that has the most,
// which may be its own client. A connection is idle since it last received or sent a
// byte. One that was never answered (see MarkAnswered) is idler than any that was. A
// new connection that may displace none is closed at once, so that its client sees
// the refusal and no other connection waits behind it.
//
// A slot is free again when its connection has been closed.
func LimitPer[K comparable](l net.Listener, q Quota[K]) net.Listener {
	return &limitedListener[K]{Listener: l, client: q.Client, slots: NewSlots(q)}
}

// limitedListener is a listener in which each connection has a slot.
type limitedListener[K comparable] struct {
	net.Listener
	client func(net.Conn) (K, error)
	slots  *Slots[K]
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

// admit gives the connection a slot and returns it, or closes it and returns nil.
func (l *limitedListener[K]) admit(accepted net.Conn) net.Conn {
	client, err := l.client(accepted)
	if err != nil {
		accepted.Close()
		return nil
	}
	conn := &slotConn{Conn: accepted}
	conn.closed, conn.end = context.WithCancel(context.Background())
	if !l.slots.Take(&conn.Slot, client, conn) {
		accepted.Close()
		return nil
	}
	return conn
}

// MarkAnswered marks a connection of a listener from LimitPer as one whose client has
// sent a request that is answered. The connection may be wrapped in others that
// have a NetConn method, like tls.Conn.
func MarkAnswered(conn net.Conn) {
	if c := slotConnOf(conn); c != nil {
		c.Slot.MarkAnswered()
	}
}

// Closed returns a context that is done once a connection of a listener from LimitPer is
// closed, by its user or because a new one displaced it. What waits for something else
// than the connection must also wait for this: a displaced connection is closed without the
// Close of those that wrap it. The connection may be wrapped as for MarkAnswered. Of another
// connection, the context is never done.
func Closed(conn net.Conn) context.Context {
	if c := slotConnOf(conn); c != nil {
		return c.closed
	}
	return context.Background()
}

// slotConnOf returns the slotConn that conn is or wraps, nil if there is none.
func slotConnOf(conn net.Conn) *slotConn {
	for {
		switch c := conn.(type) {
		case *slotConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
