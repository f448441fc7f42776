package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2/hpack"
)

// The frames of HTTP/2 that matter here (RFC 9113, section 6), and their flags.
const (
	frameData         = 0
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	framePing         = 6
	frameGoAway       = 7
	frameWindowUpdate = 8

	flagAck        = 1
	flagEndStream  = 1
	flagEndHeaders = 4

	frameHeader = 9
)

// grpcConn is the client's end of a connection with gRPC. It does as little as possible,
// so that the server is measured: grpc-go's own client costs more than its server. It is
// for one goroutine.
type grpcConn struct {
	net.Conn
	in          *bufio.Reader
	out         bytes.Buffer
	first, next []byte // the headers of the first request, and of all others
	message     []byte
	stream      uint32
}

// dialGRPC connects from an address of this host, or any if it is nil. Each call has the
// message.
func dialGRPC(server string, from net.IP, method string, message []byte) (*grpcConn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}
	conn, err := dialer.Dial("tcp", server)
	if err != nil {
		return nil, err
	}
	c := &grpcConn{Conn: conn, in: bufio.NewReaderSize(conn, 64<<10), stream: 1}
	// The second time the encoder refers to what the first has put into the table of
	// the connection, as all clients do.
	var block bytes.Buffer
	coder := hpack.NewEncoder(&block)
	for _, b := range []*[]byte{&c.first, &c.next} {
		block.Reset()
		for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", server},
			{"content-type", "application/grpc"}, {"te", "trailers"}} {
			coder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		*b = bytes.Clone(block.Bytes())
	}
	c.message = binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	c.message = append(c.message, message...)
	c.out.WriteString("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	c.frame(frameSettings, 0, 0, nil)
	c.frame(frameWindowUpdate, 0, 0, []byte{0x3f, 0xff, 0, 0}) // of the connection: never full
	return c, c.flush()
}

func (c *grpcConn) frame(kind, flags byte, stream uint32, payload []byte) {
	n := len(payload)
	c.out.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)})
	c.out.Write(payload)
}

func (c *grpcConn) flush() error {
	_, err := c.out.WriteTo(c.Conn)
	return err
}

// call begins a call.
func (c *grpcConn) call() {
	block := c.next
	if c.stream == 1 {
		block = c.first
	}
	c.frame(frameHeaders, flagEndHeaders, c.stream, block)
	c.frame(frameData, flagEndStream, c.stream, c.message)
	c.stream += 2
}

// read reads a frame and answers what must be answered. It returns what kind it is, and
// whether it is the last of its stream. The answers are not flushed.
func (c *grpcConn) read() (kind byte, last bool, err error) {
	var h [frameHeader]byte
	if _, err := io.ReadFull(c.in, h[:]); err != nil {
		return 0, false, err
	}
	length, kind, flags := int(h[0])<<16|int(h[1])<<8|int(h[2]), h[3], h[4]
	payload, err := c.in.Peek(min(length, 64))
	if err != nil {
		return 0, false, err
	}
	switch {
	case kind == frameSettings && flags&flagAck == 0:
		c.frame(frameSettings, flagAck, 0, nil)
	case kind == framePing && flags&flagAck == 0:
		c.frame(framePing, flagAck, 0, payload)
	case kind == frameGoAway || kind == frameReset:
		return 0, false, fmt.Errorf("the server ended the connection or a call: frame %d, %q", kind, payload)
	}
	_, err = c.in.Discard(length)
	return kind, (kind == frameData || kind == frameHeaders) && flags&flagEndStream != 0, err
}
