package guard

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"

	"github.com/landmark-health/landmark/internal/socket"
)

// delivery informs the guard of the messages that gRPC has delivered.
type delivery struct{}

// delivered counts the messages that gRPC has delivered to a call.
type delivered struct {
	conn     *conn // nil if the connection is not guarded
	messages atomic.Uint64
}

// deliveredKey is the key of a call's *delivered.
type deliveredKey struct{}

// TagRPC implements stats.Handler.
func (delivery) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, deliveredKey{}, &delivered{conn: connOf(ctx)})
}

// Delivered reports whether gRPC has delivered all data of the call's connection that the
// guard has read, and n messages to the call. It is false if the connection is not guarded
// with ClientStreams.
func Delivered(ctx context.Context, n uint64) bool {
	d, ok := ctx.Value(deliveredKey{}).(*delivered)
	if !ok || d.conn == nil {
		return false
	}
	d.conn.mu.Lock()
	defer d.conn.mu.Unlock()
	return d.conn.unread.data == 0 && d.messages.Load() == n
}

// HandleRPC implements stats.Handler.
func (delivery) HandleRPC(ctx context.Context, event stats.RPCStats) {
	in, ok := event.(*stats.InPayload)
	if !ok {
		return
	}
	d, ok := ctx.Value(deliveredKey{}).(*delivered)
	if !ok {
		return
	}
	first := d.messages.Add(1) == 1 // before release: see Delivered
	if d.conn != nil {
		d.conn.release(in.WireLength)
		if first {
			socket.MarkAnswered(d.conn)
		}
	}
}

// TagConn implements stats.Handler.
func (delivery) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (delivery) HandleConn(context.Context, stats.ConnStats) {}

// connOf returns the guarded connection of a call, or nil.
func connOf(ctx context.Context) *conn {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(interface{ NetConn() net.Conn })
	if !ok {
		return nil
	}
	switch c := info.NetConn().(type) {
	case *conn:
		return c
	case awaitingConn:
		return c.conn
	default:
		return nil
	}
}

// ClientOf returns the key of the client that makes the call, nil if it is not known.
func ClientOf(ctx context.Context) any {
	if c := connOf(ctx); c != nil {
		return clientOf(c.Conn)
	}
	return nil
}

// Credentials returns the credentials of a server that demands none of its
// clients. Other credentials that are used with Options must also provide an
// AuthInfo with a NetConn method.
func Credentials() credentials.TransportCredentials { return noCredentials{} }

type noCredentials struct{}

type authInfo struct {
	credentials.CommonAuthInfo
	conn net.Conn
}

func (authInfo) AuthType() string { return "none" }

// NetConn returns the connection of the call.
func (i authInfo) NetConn() net.Conn { return i.conn }

func (noCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, authInfo{credentials.CommonAuthInfo{SecurityLevel: credentials.NoSecurity}, conn}, nil
}

func (noCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("guard.Credentials are for servers only")
}

func (noCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "none"}
}

func (o noCredentials) Clone() credentials.TransportCredentials { return o }

func (noCredentials) OverrideServerName(string) error { return nil }
