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

// smallBuffer takes the frames that checkers send; a longer one gets room of its
// own for as long as it is being read.
const smallBuffer = 512

// errCrowded is that there are too many large frames already.
var errCrowded = errors.New("too many large frames at once")

// errUnfinished is that a frame was begun and not ended in time.
var errUnfinished = errors.New("frame not finished in time")

// frameReader cuts a connection's bytes into frames.
type frameReader struct {
	conn   net.Conn
	buffer []byte
	begin  int // of the bytes not yet returned
	end    int
	large  large // of which buffer has a token if it is longer than smallBuffer
}

func newFrameReader(conn net.Conn, large large) *frameReader {
	return &frameReader{conn: conn, buffer: make([]byte, smallBuffer), large: large}
}

// close gives back what the reader has taken.
func (f *frameReader) close() {
	if len(f.buffer) > smallBuffer {
		f.buffer = nil
		f.large.give()
	}
}

// ready reports whether a whole frame, or the proof that there will be none,
// has come already.
func (f *frameReader) ready() bool {
	n, err := lmp.FrameLength(f.buffer[f.begin:f.end])
	return err != nil || n > 0 && f.end-f.begin >= n
}

// next returns the next frame, valid until the call after; nothing of it may
// come for as long as idle says, 0 = for ever. It returns io.EOF when the checker
// has no more, errUnfinished, an error matching lmp.ErrMalformed, or whatever
// the connection says.
func (f *frameReader) next(ctx context.Context, idle time.Duration) ([]byte, error) {
	n, err := f.await(ctx, idle)
	if err != nil {
		return nil, err
	}
	frame := f.buffer[f.begin : f.begin+n : f.begin+n]
	f.begin += n
	return frame, nil
}

// await waits until the next frame has come whole, and returns its length, or
// next's error. It takes nothing away.
func (f *frameReader) await(ctx context.Context, idle time.Duration) (length int, err error) {
	var deadline time.Time // of the frame, once it was begun
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

// read waits until the deadline, if there is one, for more of a frame of at
// most size bytes.
func (f *frameReader) read(ctx context.Context, size int, deadline time.Time) error {
	if !f.makeRoom(size) {
		return errCrowded
	}
	n, err := socket.Read(ctx, f.conn, f.buffer[f.end:], deadline)
	f.end += n
	return err
}

// makeRoom moves what is there to the front of a buffer that takes size bytes,
// and reports whether there may be one.
func (f *frameReader) makeRoom(size int) bool {
	to := f.buffer
	if len(to) < size || len(to) > smallBuffer && size == smallBuffer && f.end-f.begin <= smallBuffer {
		switch {
		case len(to) == smallBuffer && !f.large.take():
			return false
		case size == smallBuffer:
			f.large.give()
		}
		to = make([]byte, size)
	}
	f.end = copy(to, f.buffer[f.begin:f.end])
	f.begin, f.buffer = 0, to
	return true
}
