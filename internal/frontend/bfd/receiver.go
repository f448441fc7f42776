package bfd

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
)

// receiver passes the packets to one local address on to their sessions. It takes them
// only from configured peers and over a single hop, and is silent about all others.
type receiver struct {
	// socket has the packets that come to no session's own socket: those of
	// strangers, and those of peers to which there is no route yet.
	socket     socket
	rejections *rejections
	peers      map[netip.Addr]*session
}

func (s *Server) newReceiver(local netip.Addr) (*receiver, error) {
	socket, err := listen(local)
	if err != nil {
		return nil, err
	}
	return &receiver{socket: socket, rejections: &s.rejections}, nil
}

// read reads packets that have arrived from its own socket or one of a session, at most
// so many: a flood must not take all time.
func (r *receiver) read(from socket, most int, b *buffer) {
	for range most {
		switch d, err := from.read(b); err {
		case 0:
			r.receive(d.data, d.control, d.from)
		case unix.EAGAIN:
			return
		default:
			// The kernel reports an ICMP error before the packets that wait. Any
			// host can forge one, so it must not keep them from being read.
		}
	}
}

// receive passes a packet to its session, or counts why not.
func (r *receiver) receive(data, control []byte, from netip.Addr) {
	if hopLimit(control) != maxHopLimit {
		r.rejections.Count(fromAfar)
		return
	}
	session := r.peers[from]
	if session == nil {
		r.rejections.Count(unknownPeer)
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
