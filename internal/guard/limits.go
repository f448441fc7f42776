package guard

import (
	"time"

	"google.golang.org/grpc"
)

const (
	// maxHeaders bounds a call's headers, in bytes as RFC 9113, section
	// 10.5.1, counts them: room for what proxies and tracers add.
	maxHeaders = 4 << 10
	// window is how much a client may send on a stream before it is read, in
	// bytes. gRPC takes none that is less. To set it keeps gRPC from measuring
	// what would be best, and from ever giving more.
	window = 64 << 10
	// buffer is what is read and written at a time on a connection, in bytes.
	buffer = 4 << 10
	// handshakeWithin is how long a new connection may take to speak HTTP/2.
	// It bounds the end of a server as well: gRPC waits for handshakes.
	handshakeWithin = 2 * time.Second
	// requestWithin is how long a stream may take to send its first message,
	// and a message that takes from the budget to come whole.
	requestWithin = 5 * time.Second

	// ownStreams is how many open streams, and ownBytes how many bytes of
	// unread data, a connection has besides those of the budget.
	ownStreams = 2
	ownBytes   = 16 << 10

	// A client that sends frames which carry no request faster than this has the
	// connection closed: resets, continuations, empty data, settings, and pings
	// beyond one for each message that it was sent, which some gRPC clients
	// answer with a ping to measure the network.
	idlePerSecond    = 100
	idleBurst        = 1000
	ownIdlePerSecond = 10 // of each connection besides
	ownIdleBurst     = 100
	// A client that opens streams faster than this waits: four proxies that
	// check a thousand names a second each do not.
	streamsPerSecond    = 4000
	streamsBurst        = 1000
	ownStreamsPerSecond = 50
	ownStreamsBurst     = 50
	// A connection that sends frames of any kind faster than this waits.
	framesPerSecond = 10000
	framesBurst     = 10000
)

// Limits are those in which servers differ.
type Limits struct {
	Message int    // bytes of a message
	Streams uint32 // open on one connection
	Budget  *Budget
}

// Options returns the options of a server whose listener is Listen's, and whose
// credentials, unless it is given others, are Credentials.
func Options(l Limits) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(Credentials()),
		grpc.StatsHandler(handler{}),
		grpc.MaxRecvMsgSize(l.Message),
		grpc.MaxConcurrentStreams(l.Streams),
		grpc.MaxHeaderListSize(maxHeaders),
		grpc.ConnectionTimeout(handshakeWithin),
		grpc.StaticStreamWindowSize(window),
		grpc.StaticConnWindowSize(window),
		grpc.ReadBufferSize(buffer),
		grpc.WriteBufferSize(buffer),
	}
}
