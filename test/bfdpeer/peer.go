// Package bfdpeer is the peer of a BFD session with landmarkd, as keepalived or BIRD
// is one. Attacks and measurements hold many of them on loopback addresses.
package bfdpeer

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bfd"
)

// Peer is landmarkd's peer in one session.
type Peer struct {
	receive   *net.UDPConn
	send      *net.UDPConn
	landmarkd bfd.Pair
	began     time.Time
	ended     chan struct{} // closed when run has ended

	mu       sync.Mutex
	machine  *bfd.Session // guarded by mu
	received int          // packets from landmarkd; guarded by mu
}

// Start starts the peer of a session that landmarkd has in its configuration.
func Start(p bfd.Peering) (*Peer, error) {
	receive, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Peer, bfd.Port)))
	if err != nil {
		return nil, err
	}
	send, err := Sender(p.Peer, 255)
	if err != nil {
		receive.Close()
		return nil, err
	}
	own := p
	own.Peer, own.Local = p.Local, p.Peer
	s := &Peer{
		receive: receive, send: send, landmarkd: p.Pair, began: time.Now(), ended: make(chan struct{}),
		machine: bfd.NewSession(bfd.Config{
			Discriminator: own.Discriminator(), Interval: p.Interval, Multiplier: p.Multiplier, Key: p.Key,
			Epoch: time.Duration(time.Now().UnixNano()), Random: rand.Float64,
		}),
	}
	s.machine.SetVerdict(bfd.Serving, 0) // it is ready for the session
	go s.run()
	return s, nil
}

// Sender returns a socket that sends packets from the address with the hop limit.
func Sender(from netip.Addr, hopLimit int) (*net.UDPConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		failed := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, hopLimit) })
		return errors.Join(failed, err)
	}}
	conn, err := config.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(from, 0).String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// run holds the session until Close.
func (p *Peer) run() {
	defer close(p.ended)
	var out []byte
	var in [256]byte
	to := netip.AddrPortFrom(p.landmarkd.Local, bfd.Port)
	for {
		p.mu.Lock()
		now := time.Since(p.began)
		out = p.machine.Advance(out[:0], now)
		next, ok := p.machine.Next()
		p.mu.Unlock()
		if len(out) > 0 {
			p.send.WriteToUDPAddrPort(out, to)
		}
		if !ok {
			next = now + time.Second
		}
		p.receive.SetReadDeadline(p.began.Add(next))
		n, from, err := p.receive.ReadFromUDPAddrPort(in[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || from.Addr().Unmap() != p.landmarkd.Local {
			continue
		}
		if packet, err := bfd.Parse(in[:n]); err == nil {
			p.mu.Lock()
			p.received++
			p.machine.Receive(in[:n], &packet, time.Since(p.began))
			p.mu.Unlock()
		}
	}
}

// State returns the state of the session.
func (p *Peer) State() bfd.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	state, _ := p.machine.State()
	return state
}

// Received returns how many packets landmarkd has sent.
func (p *Peer) Received() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.received
}

// Close ends the peer. It sends nothing more.
func (p *Peer) Close() {
	p.receive.Close()
	<-p.ended
	p.send.Close()
}
