// Package peercred provides gRPC transport credentials that identify the process at
// the other end of a Unix socket. The kernel provides its user, group and process
// number (SO_PEERCRED, unix(7)). The traffic never leaves the machine, so it is not
// encrypted.
package peercred

import (
	"context"
	"errors"
	"net"
	"syscall"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/landmark-health/landmark/internal/socket"
)

// New returns the credentials for a server on a Unix socket. The server closes a
// connection whose peer is unknown.
func New() credentials.TransportCredentials { return transport{} }

// FromContext returns the peer of the call of ctx, and whether it is known.
func FromContext(ctx context.Context) (socket.Peer, bool) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return socket.Peer{}, false
	}
	info, ok := p.AuthInfo.(AuthInfo)
	return info.Peer, ok
}

// ConnFromContext returns the connection of the call of ctx as the listener accepted
// it, nil if it is unknown.
func ConnFromContext(ctx context.Context) net.Conn {
	if p, _ := peer.FromContext(ctx); p != nil {
		if info, ok := p.AuthInfo.(AuthInfo); ok {
			return info.conn
		}
	}
	return nil
}

// protocol is the security protocol that gRPC shows.
const protocol = "SO_PEERCRED"

type transport struct{}

// AuthInfo identifies the peer of a connection.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Peer socket.Peer
	conn net.Conn
}

// AuthType implements credentials.AuthInfo.
func (AuthInfo) AuthType() string { return protocol }

// NetConn returns the connection.
func (i AuthInfo) NetConn() net.Conn { return i.conn }

func (transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	unix, ok := conn.(syscall.Conn)
	if !ok {
		return nil, nil, errors.New("the connection is not a socket, so its peer is unknown")
	}
	p, err := socket.PeerOf(unix)
	if err != nil {
		return nil, nil, err
	}
	level := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return conn, AuthInfo{level, p, conn}, nil
}

func (transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are for servers only")
}

func (transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: protocol}
}

func (t transport) Clone() credentials.TransportCredentials { return t }

func (transport) OverrideServerName(string) error { return nil }
