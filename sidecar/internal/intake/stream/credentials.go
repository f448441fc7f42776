package stream

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/landmark-health/landmark/sidecar/internal/socket"
)

// peerCredentials are gRPC transport credentials that tell who connected, as
// the listener learned from the kernel. The socket never leaves the machine, so there is nothing to
// encrypt.
type peerCredentials struct{}

// authInfo is what peerCredentials learned of a connection.
type authInfo struct {
	credentials.CommonAuthInfo
	peer socket.Peer
}

func (authInfo) AuthType() string { return "SO_PEERCRED" }

func (peerCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	accepted, ok := conn.(*connection)
	if !ok {
		return nil, nil, errors.New("the listener did not say who connected")
	}
	level := credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity}
	return conn, authInfo{level, accepted.peer}, nil
}

func (peerCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("only a server learns who its peer is")
}

func (peerCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "SO_PEERCRED"}
}

func (c peerCredentials) Clone() credentials.TransportCredentials { return c }

func (peerCredentials) OverrideServerName(string) error { return nil }

// peerOf returns who opened the stream of ctx.
func peerOf(ctx context.Context) (socket.Peer, bool) {
	p, _ := peer.FromContext(ctx)
	if p == nil {
		return socket.Peer{}, false
	}
	info, ok := p.AuthInfo.(authInfo)
	return info.peer, ok
}
