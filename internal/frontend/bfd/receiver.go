package bfd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/sleep"
)

// receiver reads the packets to one local address. It takes them only from
// configured peers and over a single hop, and is silent about all others.
type receiver struct {
	conn       *net.UDPConn
	rejections *rejections
	started    sync.Once
	peers      atomic.Pointer[map[netip.Addr]*session]
}

func (s *Server) newReceiver(local netip.Addr) (*receiver, error) {
	conn, err := listen(local)
	if err != nil {
		return nil, err
	}
	return &receiver{conn: conn, rejections: &s.rejections}, nil
}

// setPeers sets the sessions by peer.
func (r *receiver) setPeers(peers map[netip.Addr]*session) { r.peers.Store(&peers) }

// run reads packets until the socket is closed. It allocates nothing for a packet.
func (r *receiver) run(ctx context.Context) {
	// A longer datagram is cut. It has at most this much of a packet.
	var data [256]byte
	var control [64]byte
	for {
		n, oobn, _, from, err := r.conn.ReadMsgUDPAddrPort(data[:], control[:])
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// The next read may succeed. The pause keeps the loop from spinning if
			// it does not.
			if !sleep.For(ctx, 10*time.Millisecond) {
				return
			}
			continue
		}
		r.receive(data[:n], control[:oobn], from.Addr().Unmap())
	}
}

// receive passes a packet to its session, or counts why not.
func (r *receiver) receive(data, control []byte, from netip.Addr) {
	if hopLimit(control) != maxHopLimit {
		r.rejections.count(fromAfar)
		return
	}
	session := (*r.peers.Load())[from]
	if session == nil {
		r.rejections.count(unknownPeer)
		return
	}
	p, err := bfd.Parse(data)
	if err == nil {
		err = session.receive(data, &p)
	}
	if err != nil {
		r.rejections.countError(err)
	}
}
