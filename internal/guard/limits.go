package guard

import (
	"time"

	"google.golang.org/grpc"
)

const (
	// maxHeaders bounds the headers of a call, in bytes as RFC 9113, section
	// 10.5.1, counts them. It leaves space for what proxies and tracers add.
	maxHeaders = 4 << 10
	// window is how many bytes a client may send on a stream before they are read.
	// gRPC accepts no smaller window. A fixed window also stops gRPC from measuring
	// the connection and enlarging the window.
	window = 64 << 10
	// buffer is the size of the read and the write buffer of a connection, in bytes.
	buffer = 4 << 10
	// handshakeTimeout is how long a new connection may take to start HTTP/2. It
	// also bounds how long a server takes to stop, because gRPC waits for handshakes.
	handshakeTimeout = 2 * time.Second
	// requestTimeout is how long a stream may take to send its request. It is also how
	// long a message that uses the budget may take to arrive whole.
	requestTimeout = 5 * time.Second

	// connStreams is how many streams a connection may have open, and connBytes how
	// many bytes of unread data it may hold, without using the budget.
	connStreams = 2
	connBytes   = 16 << 10

	// The overhead limits are for frames that carry no request: resets,
	// continuations, empty data, settings, and pings. A client that sends them
	// faster has its connection closed. One ping for each message that the server
	// sent is not counted: some gRPC clients answer with a ping to measure the
	// network. The conn limits are each connection's own, the client limits are
	// shared by all connections of a client.
	clientOverheadPerSecond = 100
	clientOverheadBurst     = 1000
	connOverheadPerSecond   = 10
	connOverheadBurst       = 100
	// A client that opens streams faster than this waits. Four proxies that check a
	// thousand names a second each do not.
	clientStreamsPerSecond = 4000
	clientStreamsBurst     = 1000
	connStreamsPerSecond   = 50
	connStreamsBurst       = 50
	// A connection that sends frames of any kind faster than this waits.
	framesPerSecond = 10000
	framesBurst     = 10000
	// maxWait is the longest that a connection waits. One that would wait longer is closed,
	// so that its client's others never wait longer either. It is less than
	// handshakeTimeout, which does not end a wait.
	maxWait = time.Second
)

// Limits are the limits that differ between servers.
type Limits struct {
	Message int    // the largest message, in bytes
	Streams uint32 // open at once on one connection
	Budget  *Budget
	// ClientStreams says that clients send many messages on one stream. Then gRPC tells
	// the guard which it has delivered, at a price for each call; and the server itself
	// limits how long the first message may take. Otherwise a call is one message, which
	// gRPC delivers as soon as the client has ended it.
	ClientStreams bool
}

// Options returns the options of a server that serves a listener from Listen. The
// credentials are Credentials unless a later option replaces them.
func Options(l Limits) []grpc.ServerOption {
	options := []grpc.ServerOption{
		grpc.Creds(Credentials()),
		grpc.MaxRecvMsgSize(l.Message),
		grpc.MaxConcurrentStreams(l.Streams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.ReadBufferSize(buffer),
		grpc.WriteBufferSize(buffer),
	}
	if l.ClientStreams {
		options = append(options, grpc.StatsHandler(delivery{}))
	}
	return options
}
