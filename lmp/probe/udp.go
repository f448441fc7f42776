package probe

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
)

const (
	// minRetryDelay is the shortest delay before the request is sent again: ten times
	// a round trip within a data centre.
	minRetryDelay = 20 * time.Millisecond

	// retryDivisor gives the delay before the request is sent again: the remaining
	// time divided by it. So the first delays are the longest, when a slow answer is
	// more likely than a lost one.
	retryDivisor = 4
)

// describeLengths are the lengths in bytes of the datagrams of a DESCRIBE, first try
// first. An answer is never longer than its request's datagram. 1232 is what fits into
// the smallest packet that every path of IPv6 carries (RFC 8200, section 5: 1280, less
// 40 and 8 for the headers). 508 is what every host of IPv4 accepts (RFC 791: 576,
// less 60 and 8). 0 is the request without padding: on a path that drops all longer
// datagrams, the answer still has its header.
var describeLengths = [...]int{1232, 508, 0}

// sendUDP is the [sendFunc] for UDP.
func (e *exchange) sendUDP(ctx context.Context, address string, onError func()) (lmp.Answer, error) {
	conn, close, err := dial(ctx, "udp", address)
	if err != nil {
		return lmp.Answer{}, err
	}
	defer close()
	return e.runUDP(ctx, conn, onError)
}

// runUDP sends the request on a connected socket, again and again until the
// answer comes or the deadline of ctx passes. It calls onError when the network
// reports an error.
func (e *exchange) runUDP(ctx context.Context, conn net.Conn, onError func()) (lmp.Answer, error) {
	deadline, _ := ctx.Deadline()
	buf := make([]byte, lmp.MaxDatagram)
	last := errTimeout
	for sent := 0; ; sent++ {
		now := time.Now()
		left := deadline.Sub(now)
		if left <= 0 || ctx.Err() != nil {
			return lmp.Answer{}, timeoutError(ctx, last)
		}
		retryAt := now.Add(min(max(left/retryDivisor, minRetryDelay), left))
		conn.SetDeadline(retryAt) // fails if conn is closed, as the read then does
		if err := writeDatagram(conn, e.datagram(sent)); err != nil {
			last = err
			onError()
		}
		for {
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() != nil {
				break
			}
			if err != nil {
				last = err
				onError()
				sleep.For(ctx, min(time.Until(retryAt), redialDelay)) // a persistent error must not make this loop spin
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

// datagram returns the request as a datagram. sent is how many were sent before.
func (e *exchange) datagram(sent int) []byte {
	if e.kind != lmp.KindDescribe {
		return e.request
	}
	padding := describeLengths[min(sent, len(describeLengths)-1)] - len(e.request)
	return append(e.request[:len(e.request):len(e.request)], make([]byte, max(padding, 0))...)
}

// writeDatagram writes a datagram. The kernel may return the error of an earlier
// datagram instead of sending this one; writeDatagram then writes it once more.
func writeDatagram(conn net.Conn, datagram []byte) error {
	_, err := conn.Write(datagram)
	if errors.Is(err, syscall.ECONNREFUSED) {
		_, err = conn.Write(datagram)
	}
	return err
}
