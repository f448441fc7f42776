package line

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/landmark-health/landmark/internal/socket"
)

// maxLine is the length of the longest line, without its end. The longest
// request there can be takes 106 bytes.
const maxLine = 128

var errTooLong = errors.New("line too long")

// reader cuts a connection's bytes into lines.
type reader struct {
	conn   net.Conn
	buffer [4 * maxLine]byte
	begin  int // of the bytes not yet returned
	end    int
	ended  bool // the checker sends no more
}

// next returns the next line without its newline, valid until the call after.
// The end of what the checker sends ends a line too, for some send no newline
// there. It returns io.EOF when there are no more, errTooLong, or whatever the
// connection says.
func (r *reader) next(ctx context.Context) ([]byte, error) {
	var deadline time.Time // of the line, once it was begun
	for {
		rest := r.buffer[r.begin:r.end]
		length := bytes.IndexByte(rest, '\n')
		switch {
		case length > maxLine || length < 0 && len(rest) > maxLine:
			return nil, errTooLong
		case length >= 0:
			r.begin += length + 1
			return rest[:length], nil
		case r.ended && len(rest) > 0:
			r.begin = r.end
			return rest, nil
		case r.ended:
			return nil, io.EOF
		case len(rest) == 0:
			deadline = time.Time{}
		case deadline.IsZero():
			deadline = time.Now().Add(socket.FrameTimeout)
		}
		if err := r.read(ctx, deadline); err != nil {
			return nil, err
		}
	}
}

// read waits for more until the deadline, or as long as a connection may be
// idle.
func (r *reader) read(ctx context.Context, deadline time.Time) error {
	if deadline.IsZero() {
		deadline = time.Now().Add(socket.IdleTimeout)
	}
	r.end = copy(r.buffer[:], r.buffer[r.begin:r.end])
	r.begin = 0
	n, err := socket.Read(ctx, r.conn, r.buffer[r.end:], deadline)
	r.end += n
	if err == io.EOF {
		r.ended = true
		return nil
	}
	return err
}
