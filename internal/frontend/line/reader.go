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

// maxLine is the length of the longest line, in bytes without its newline. The
// longest valid request takes 106.
const maxLine = 128

var errTooLong = errors.New("line too long")

// lineReader splits a connection's bytes into lines.
type lineReader struct {
	conn   net.Conn
	buffer [4 * maxLine]byte
	begin  int // of the bytes not yet returned
	end    int
	eof    bool
}

// next returns the next line without its newline, which is valid until the next
// call. The last line needs no newline, for some checkers send none. It returns
// io.EOF at the end, errTooLong, or the connection's error.
func (r *lineReader) next(ctx context.Context) ([]byte, error) {
	var deadline time.Time // of the line, set when its first byte is there
	for {
		rest := r.buffer[r.begin:r.end]
		length := bytes.IndexByte(rest, '\n')
		switch {
		case length > maxLine || length < 0 && len(rest) > maxLine:
			return nil, errTooLong
		case length >= 0:
			r.begin += length + 1
			return rest[:length], nil
		case r.eof && len(rest) > 0:
			r.begin = r.end
			return rest, nil
		case r.eof:
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

// read waits for more bytes until the deadline, or for socket.IdleTimeout if that
// is zero.
func (r *lineReader) read(ctx context.Context, deadline time.Time) error {
	if deadline.IsZero() {
		deadline = time.Now().Add(socket.IdleTimeout)
	}
	r.end = copy(r.buffer[:], r.buffer[r.begin:r.end])
	r.begin = 0
	n, err := socket.Read(ctx, r.conn, r.buffer[r.end:], deadline)
	r.end += n
	if err == io.EOF {
		r.eof = true
		return nil
	}
	return err
}
