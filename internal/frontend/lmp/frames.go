package lmp

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/landmark-health/landmark/internal/socket"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// smallBuffer holds any request that checkers usually send. A longer frame
	// gets a buffer of its own while it is read.
	smallBuffer = 512
	// maxLargeFrames is how many connections may read or send a frame longer
	// than smallBuffer at once, each of at most 64 KiB.
	maxLargeFrames = 64
)

var (
	errTooManyLargeFrames = errors.New("too many large frames at once")
	errUnfinished         = errors.New("frame not finished in time")
)

// largeFrames is a semaphore with a token for each large frame. A nil one sets no
// limit.
type largeFrames chan struct{}

// acquire takes a token, if one is left.
func (l largeFrames) acquire() bool {
	if l == nil {
		return true
	}
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// release returns a token.
func (l largeFrames) release() {
	if l != nil {
		<-l
	}
}

// frameReader splits a connection's bytes into frames.
type frameReader struct {
	conn   net.Conn
	buffer []byte // holds a token of large if it is longer than smallBuffer
	begin  int    // of the bytes not yet returned
	end    int
	large  largeFrames
}

func newFrameReader(conn net.Conn, large largeFrames) *frameReader {
	return &frameReader{conn: conn, buffer: make([]byte, smallBuffer), large: large}
}

// close returns the reader's token, if it holds one.
func (f *frameReader) close() {
	if len(f.buffer) > smallBuffer {
		f.buffer = nil
		f.large.release()
	}
}

// ready reports whether next will return without waiting: a whole frame is in
// the buffer, or bytes that no frame can begin with.
func (f *frameReader) ready() bool {
	n, err := lmp.FrameLength(f.buffer[f.begin:f.end])
	return err != nil || n > 0 && f.end-f.begin >= n
}

// next returns the next frame, which is valid until the next call. It waits at
// most idle for the first byte, and without limit if idle is 0. It returns
// io.EOF at the end, errUnfinished, errTooManyLargeFrames, an error that matches
// lmp.ErrMalformed, or the connection's error.
func (f *frameReader) next(ctx context.Context, idle time.Duration) ([]byte, error) {
	n, err := f.await(ctx, idle)
	if err != nil {
		return nil, err
	}
	frame := f.buffer[f.begin : f.begin+n : f.begin+n]
	f.begin += n
	return frame, nil
}

// await waits until the next frame is whole in the buffer, and returns its
// length or next's error. It consumes nothing.
func (f *frameReader) await(ctx context.Context, idle time.Duration) (length int, err error) {
	var deadline time.Time // of the frame, set when its first byte is there
	for {
		start := f.buffer[f.begin:f.end]
		n, err := lmp.FrameLength(start)
		switch {
		case err != nil:
			return 0, err
		case n > 0 && len(start) >= n:
			return n, nil
		case len(start) == 0:
			var until time.Time
			if idle > 0 {
				until = time.Now().Add(idle)
			}
			err = f.read(ctx, smallBuffer, until)
		default:
			if deadline.IsZero() {
				deadline = time.Now().Add(socket.FrameTimeout)
			}
			err = f.read(ctx, max(n, smallBuffer), deadline)
			if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
				err = errUnfinished
			}
		}
		if err != nil {
			return 0, err
		}
	}
}

// read reads more of a frame of at most size bytes. It waits until the deadline,
// or without limit if that is zero.
func (f *frameReader) read(ctx context.Context, size int, deadline time.Time) error {
	if !f.makeSpace(size) {
		return errTooManyLargeFrames
	}
	n, err := socket.Read(ctx, f.conn, f.buffer[f.end:], deadline)
	f.end += n
	return err
}

// makeSpace moves the unread bytes to the front of a buffer of at least size
// bytes. It returns false if that takes a token and none is left.
func (f *frameReader) makeSpace(size int) bool {
	to := f.buffer
	if len(to) < size || len(to) > smallBuffer && size == smallBuffer && f.end-f.begin <= smallBuffer {
		switch {
		case len(to) == smallBuffer && !f.large.acquire():
			return false
		case size == smallBuffer:
			f.large.release()
		}
		to = make([]byte, size)
	}
	f.end = copy(to, f.buffer[f.begin:f.end])
	f.begin, f.buffer = 0, to
	return true
}
