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

// New returns the credentials for a server that listens on a Unix socket. A
// connection whose peer the kernel does not tell is closed.
func New() credentials.TransportCredentials { return transport{} }

// FromContext returns who opened the call of ctx, and whether that is known.
func FromContext(ctx context.Context) (socket.Peer, bool) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return socket.Peer{}, false
	}
	info, ok := p.AuthInfo.(AuthInfo)
	return info.Peer, ok
}

// ConnFromContext returns the connection of ctx's call as its listener accepted it, nil if it
// is not known.
func ConnFromContext(ctx context.Context) net.Conn {
	if p, _ := peer.FromContext(ctx); p != nil {
		if info, ok := p.AuthInfo.(AuthInfo); ok {
			return info.conn
		}
	}
	return nil
}

// protocol is what gRPC is told that a connection is secured by.
const protocol = "SO_PEERCRED"

type transport struct{}

// AuthInfo is what was learned of a connection.
type AuthInfo struct {
	credentials.CommonAuthInfo
	Peer socket.Peer
	conn net.Conn
}

// AuthType returns the name of the means by which it was learned.
func (AuthInfo) AuthType() string { return protocol }

// NetConn returns the connection.
func (i AuthInfo) NetConn() net.Conn { return i.conn }

func (transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	unix, ok := conn.(syscall.Conn)
	if !ok {
		return nil, nil, errors.New("the connection is none of the kernel's")
	}
	p, err := socket.PeerOf(unix)
	if err != nil {
		return nil, nil, err
	}
	level := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return conn, AuthInfo{level, p, conn}, nil
}

func (transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("only a server learns who its peer is")
}

func (transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: protocol}
}

func (t transport) Clone() credentials.TransportCredentials { return t }

func (transport) OverrideServerName(string) error { return nil }
