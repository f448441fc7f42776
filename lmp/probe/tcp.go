package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
)

// sendTCP is the [sendFunc] for TCP. It tolerates a server that restarts: one that
// refuses connections, or closes one that it has just accepted. Since a server also
// closes the connection to reject a request, sendTCP tolerates that only once.
func (e *exchange) sendTCP(ctx context.Context, address string, onError func()) (lmp.Answer, error) {
	var last error // the latest error that was tolerated
	for retried := false; ; {
		answer, err := e.sendTCPOnce(ctx, address)
		switch {
		case err == nil:
			return answer, nil
		case last != nil && isTimeout(ctx, err): // last says more
			return lmp.Answer{}, timeoutError(ctx, last)
		case errors.Is(err, ErrRejected) && !retried:
			retried = true
		case !errors.Is(err, syscall.ECONNREFUSED):
			return lmp.Answer{}, err
		}
		last = err
		onError()
		sleep.For(ctx, redialDelay)
		if ctx.Err() != nil {
			return lmp.Answer{}, timeoutError(ctx, last)
		}
	}
}

// isTimeout reports whether err is due to the end of ctx.
func isTimeout(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// sendTCPOnce sends the request on a new connection and returns the answer.
func (e *exchange) sendTCPOnce(ctx context.Context, address string) (lmp.Answer, error) {
	conn, close, err := dial(ctx, "tcp", address)
	if err != nil {
		return lmp.Answer{}, err
	}
	defer close()
	return e.runTCP(ctx, conn)
}

// runTCP sends the request on conn and returns the answer.
func (e *exchange) runTCP(ctx context.Context, conn net.Conn) (lmp.Answer, error) {
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline) // fails if conn is closed, as the read then does
	// A server that has already rejected the connection may make the write fail, so
	// the result of the read decides.
	_, writeErr := conn.Write(e.request)
	answer, err := e.read(conn)
	switch {
	case err == nil:
		return answer, nil
	case isTimeout(ctx, err):
		return lmp.Answer{}, timeoutError(ctx, errTimeout)
	case errors.Is(err, ErrRejected) || writeErr == nil:
		return lmp.Answer{}, err
	}
	return lmp.Answer{}, writeErr
}

// read reads one frame and returns it if it is the answer.
func (e *exchange) read(r io.Reader) (lmp.Answer, error) {
	frame, err := readFrame(r)
	if err != nil {
		return lmp.Answer{}, err
	}
	return e.answer(frame)
}

// readFrame reads one whole frame. The error matches ErrRejected if the stream ends
// before the first byte.
func readFrame(r io.Reader) ([]byte, error) {
	frame := make([]byte, lmp.HeaderLength, lmp.HeaderLength+64)
	if n, err := io.ReadFull(r, frame); err != nil {
		if n == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)) {
			return nil, ErrRejected
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
