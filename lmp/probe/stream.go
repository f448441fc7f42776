package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/landmark-health/landmark/lmp"
)

// askByStreams puts a question by TCP. What a server that is being restarted does to
// it is no failure while time is left: it refuses connections, and it may close one
// that it has just accepted. So does a server that refuses the question, which is why
// that is forgiven once. It calls setback when it has to try again.
func askByStreams(ctx context.Context, address string, e *exchange, setback func()) (lmp.Answer, error) {
	var last error // that was borne
	for forgiven := false; ; {
		answer, err := askByStream(ctx, address, e)
		switch {
		case err == nil:
			return answer, nil
		case last != nil && outOfTime(ctx, err): // which tells less than the last
			return lmp.Answer{}, gaveUp(ctx, last)
		case errors.Is(err, ErrRefused) && !forgiven:
			forgiven = true
		case !errors.Is(err, syscall.ECONNREFUSED):
			return lmp.Answer{}, err
		}
		last = err
		setback()
		pause(ctx, comeback)
		if ctx.Err() != nil {
			return lmp.Answer{}, gaveUp(ctx, last)
		}
	}
}

// outOfTime reports whether the end of ctx ended what failed with err.
func outOfTime(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// askByStream puts a question on a connection of its own.
func askByStream(ctx context.Context, address string, e *exchange) (lmp.Answer, error) {
	conn, close, err := dial(ctx, "tcp", address)
	if err != nil {
		return lmp.Answer{}, err
	}
	defer close()
	return askStream(ctx, conn, e)
}

// askStream puts a question on a connection that serves for it alone.
func askStream(ctx context.Context, conn net.Conn, e *exchange) (lmp.Answer, error) {
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline) // fails when the connection was closed, as Read then does
	// A server that has refused already may make the write fail, so what was
	// read decides.
	_, writeErr := conn.Write(e.request)
	answer, err := e.read(conn)
	switch {
	case err == nil:
		return answer, nil
	case outOfTime(ctx, err):
		return lmp.Answer{}, gaveUp(ctx, errSilence)
	case errors.Is(err, ErrRefused) || writeErr == nil:
		return lmp.Answer{}, err
	}
	return lmp.Answer{}, writeErr
}

// read reads one answer; nothing else may come.
func (e *exchange) read(r io.Reader) (lmp.Answer, error) {
	frame, err := readFrame(r)
	if err != nil {
		return lmp.Answer{}, err
	}
	return e.answer(frame)
}

// readFrame reads one whole frame. The error matches ErrRefused if the stream ends
// before its first byte.
func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, lmp.HeaderLength, lmp.HeaderLength+64)
	if n, err := io.ReadFull(r, frame); err != nil {
		if n == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)) {
			return nil, ErrRefused
		}
		return nil, fmt.Errorf("reading the answer's header: %w", err)
	}
	length, err := lmp.FrameLength(frame)
	if err != nil {
		return nil, err
	}
	frame = append(frame, make([]byte, length-lmp.HeaderLength)...)
	if _, err := io.ReadFull(r, frame[lmp.HeaderLength:]); err != nil {
		return nil, fmt.Errorf("reading the answer's fields: %w", err)
	}
	return frame, nil
}
