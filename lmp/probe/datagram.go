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

// room is how long the datagrams of a DESCRIBE are, for no answer is longer than its
// request's datagram: at first what fits into the smallest packet that IPv6 carries
// whole (RFC 8200, section 5: 1280, less 40 and 8 for the headers), then what every
// host of IPv4 takes in (RFC 791: 576, less 60 and 8), then the request alone. Where
// a path drops what is too long for it, the answer is still complete but for its
// fields.
var room = [...]int{1232, 508, 0}

// askByDatagrams puts a question by UDP.
func askByDatagrams(ctx context.Context, address string, e *exchange, setback func()) (lmp.Answer, error) {
	conn, close, err := dial(ctx, "udp", address)
	if err != nil {
		return lmp.Answer{}, err
	}
	defer close()
	return askDatagrams(ctx, conn, e, setback)
}

// askDatagrams puts a question on a connected socket: it sends it, and sends it again,
// until its answer comes or the deadline of ctx. It calls setback when the network
// reports an error.
func askDatagrams(ctx context.Context, conn net.Conn, e *exchange, setback func()) (lmp.Answer, error) {
	deadline, _ := ctx.Deadline()
	buf := make([]byte, lmp.MaxDatagram)
	last := errSilence
	for sent := 0; ; sent++ {
		now := time.Now()
		left := deadline.Sub(now)
		if left <= 0 || ctx.Err() != nil {
			return lmp.Answer{}, gaveUp(ctx, last)
		}
		again := now.Add(min(max(left/share, leastWait), left))
		conn.SetDeadline(again) // fails when the connection was closed, as Read then does
		if err := send(conn, e.datagram(sent)); err != nil {
			last = err
			setback()
		}
		for {
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
				break
			}
			if err != nil {
				last = err
				setback()
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

// datagram returns the request as it is sent after so many times before.
func (e *exchange) datagram(sent int) []byte {
	if e.kind != lmp.KindDescribe {
		return e.request
	}
	padding := room[min(sent, len(room)-1)] - len(e.request)
	return append(e.request[:len(e.request):len(e.request)], make([]byte, max(padding, 0))...)
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
