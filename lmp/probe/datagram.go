package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// leastWait is the shortest time between two sendings of a question: ten times
	// a round trip within a data centre.
	leastWait = 20 * time.Millisecond

	// share of the time left is waited before a question is sent again: seldom at
	// first, when a slow answer is likelier than a lost one.
	share = 4
)

// errSilence is told if nothing at all came back.
var errSilence = errors.New("no answer in time")

// askByDatagrams puts a question by UDP.
func askByDatagrams(ctx context.Context, d dialer, e *exchange) (lmp.Answer, error) {
	conn, close, err := d.dial(ctx)
	if err != nil {
		return lmp.Answer{}, err
	}
	defer close()
	return askDatagrams(ctx, conn, e)
}

// askDatagrams puts a question on a connected socket: it sends it, and sends it again, until its
// answer comes or the deadline of ctx.
func askDatagrams(ctx context.Context, conn net.Conn, e *exchange) (lmp.Answer, error) {
	datagram := e.request
	if e.kind == lmp.KindDescribe {
		// No answer is longer than its request's datagram, so this makes room.
		datagram = append(datagram, make([]byte, max(lmp.MaxDatagram-len(datagram), 0))...)
	}
	deadline, _ := ctx.Deadline()
	buf := make([]byte, lmp.MaxDatagram)
	last := errSilence
	for {
		now := time.Now()
		left := deadline.Sub(now)
		if left <= 0 || ctx.Err() != nil {
			return lmp.Answer{}, gaveUp(ctx, last)
		}
		again := now.Add(min(max(left/share, leastWait), left))
		conn.SetDeadline(again) // fails when the connection was closed, as Read then does
		if err := send(conn, datagram); err != nil {
			last = err
		}
		for {
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
				break
			}
			if err != nil {
				last = err
				pause(ctx, min(time.Until(again), comeback)) // an error that persists must not spin
				break
			}
			answer, err := e.answer(buf[:n])
			if err == nil {
				return answer, nil
			}
			last = err
		}
	}
}

// send writes a datagram. The error of an earlier one may be told instead of the
// datagram being sent, and then it is written once more.
func send(conn net.Conn, datagram []byte) error {
	_, err := conn.Write(datagram)
	if errors.Is(err, syscall.ECONNREFUSED) {
		_, err = conn.Write(datagram)
	}
	return err
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// gaveUp is the error for no answer by the end of ctx: last is the latest thing
// that went wrong.
func gaveUp(ctx context.Context, last error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if last == errSilence {
		return last
	}
	return fmt.Errorf("%w: %w", errSilence, last)
}
