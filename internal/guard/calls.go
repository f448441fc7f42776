package guard

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/stats"

	"github.com/landmark-health/landmark/internal/socket"
)

// call is one call's wait for its first message.
type call struct {
	conn  *conn
	timer *time.Timer
}

type callKey struct{}

// handler informs the guard of the messages that gRPC has delivered.
type handler struct{}

// TagRPC starts the timeout of a call's first message. When it expires, the whole
// connection is closed: gRPC has no other way to end a call before its handler
// runs.
func (handler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context {
	conn := connOf(ctx)
	if conn == nil {
		return ctx
	}
	timer := time.AfterFunc(requestTimeout, func() {
		if ctx.Err() == nil {
			conn.Close()
		}
	})
	return context.WithValue(ctx, callKey{}, &call{conn, timer})
}

// HandleRPC implements stats.Handler.
func (handler) HandleRPC(ctx context.Context, event stats.RPCStats) {
	call, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return
	}
	switch event := event.(type) {
	case *stats.InPayload:
		call.timer.Stop()
		call.conn.release(event.WireLength)
		socket.MarkAnswered(call.conn)
	case *stats.End:
		call.timer.Stop()
	}
}

// TagConn implements stats.Handler.
func (handler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (handler) HandleConn(context.Context, stats.ConnStats) {}

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
	c, _ := info.NetConn().(*conn)
	return c
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
