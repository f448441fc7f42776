package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// client is the client's end of an HTTP/2 connection. It keeps only the rules
// without which the server would not read from it. Its methods are for one
// goroutine.
type client struct {
	net.Conn
	framer *http2.Framer
	next   uint32 // the next stream
	block  bytes.Buffer
	coder  *hpack.Encoder

	mu      sync.Mutex
	more    *sync.Cond       // signals that a window grew or the connection ended
	ended   bool             // guarded by mu
	window  int64            // of the connection; guarded by mu
	initial int64            // the window of a new stream; guarded by mu
	streams map[uint32]int64 // the window of each stream; guarded by mu
}

// newClient connects and sends the preface. Unless unread is set, it reads frames.
func newClient(ctx context.Context, target string, unread bool) (*client, error) {
	conn, err := dialFromAttacker(ctx, target)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, framer: http2.NewFramer(conn, conn), next: 1, window: 65535, initial: 65535, streams: make(map[uint32]int64)}
	c.coder = hpack.NewEncoder(&c.block)
	c.more = sync.NewCond(&c.mu)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return nil, err
	}
	if err := c.framer.WriteSettings(); err != nil {
		return nil, err
	}
	if !unread {
		go c.read()
	}
	return c, nil
}

// read tracks the windows until the connection ends.
func (c *client) read() {
	for {
		f, err := c.framer.ReadFrame()
		c.mu.Lock()
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if size, ok := f.Value(http2.SettingInitialWindowSize); ok {
				c.initial = int64(size)
			}
		case *http2.WindowUpdateFrame:
			if f.StreamID == 0 {
				c.window += int64(f.Increment)
			} else {
				c.streams[f.StreamID] += int64(f.Increment)
			}
		}
		c.ended = c.ended || err != nil
		c.more.Broadcast()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// headers begins a request for the method and returns its stream. fields are names
// and values of further header fields.
func (c *client) headers(method string, fields ...string) (stream uint32, err error) {
	c.block.Reset()
	all := append([]string{":method", "POST", ":scheme", "http", ":path", method, ":authority", "x",
		"content-type", "application/grpc", "te", "trailers"}, fields...)
	for i := 0; i < len(all); i += 2 {
		c.coder.WriteField(hpack.HeaderField{Name: all[i], Value: all[i+1]})
	}
	stream = c.next
	c.next += 2
	c.mu.Lock()
	c.streams[stream] = c.initial
	c.mu.Unlock()
	const most = 16384
	block := c.block.Bytes()
	first := block[:min(len(block), most)]
	err = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: first, EndHeaders: len(first) == len(block)})
	for block = block[len(first):]; err == nil && len(block) > 0; {
		part := block[:min(len(block), most)]
		block = block[len(part):]
		err = c.framer.WriteContinuation(stream, len(block) == 0, part)
	}
	return stream, err
}

// data sends b on the stream as the windows allow. It gives up after the wait.
func (c *client) data(stream uint32, b []byte, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	defer time.AfterFunc(wait, c.more.Broadcast).Stop()
	for len(b) > 0 {
		c.mu.Lock()
		for min(c.window, c.streams[stream]) <= 0 && !c.ended && time.Now().Before(deadline) {
			c.more.Wait()
		}
		n := min(int64(len(b)), 16384, c.window, c.streams[stream])
		ended := c.ended
		if n > 0 {
			c.window -= n
			c.streams[stream] -= n
		}
		c.mu.Unlock()
		if ended || n <= 0 {
			return io.ErrShortWrite
		}
		if err := c.framer.WriteData(stream, false, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// wait waits until the connection has ended.
func (c *client) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.ended {
		c.more.Wait()
	}
}

// message returns the header of a gRPC message of the given length, and its first
// bytes.
func message(length, first int) []byte {
	b := make([]byte, 5+first)
	b[1], b[2], b[3], b[4] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
	return b
}
