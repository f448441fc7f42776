// Package probe checks the health of a service over the network: it is the client of
// the Landmark monitoring protocol of package lmp. [Do] sends one request and waits
// for its answer. [Watch] reports each change, and reports silence as an error.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// defaultTimeout is how long Do waits if its context has no deadline.
	defaultTimeout = time.Second

	// redialDelay is the delay before Do retries after an error of the network.
	redialDelay = 50 * time.Millisecond
)

// ErrRejected is matched by Do's error if a server on TCP closed the connection
// without an answer. A server does that if it regards the request as malformed, or if
// the request is not signed with one of its keys. On UDP it sends nothing instead.
var ErrRejected = errors.New("the server closed the connection without an answer")

// errTimeout is the error if no answer came before the deadline.
var errTimeout = errors.New("no answer in time")

// Request says what to request, and from which server.
type Request struct {
	Network string        // "udp" or "tcp"
	Address string        // HOST:PORT of the sidecar
	Kind    lmp.Kind      // lmp.KindCheck or lmp.KindDescribe; for lmp.KindWatch use Watch
	Service string        // at most 255 bytes; "" is all services together
	MaxAge  time.Duration // how old the facts may be; 0 = as the service is configured
	Key     *lmp.Key      // signs the request and verifies the answer; nil for neither
}

// Do sends req and returns its answer: the one with req's kind and the random nonce
// that Do sent, signed with req.Key if that is not nil. Do returns as soon as the
// answer comes, and at ctx's deadline at the latest, or after 1 s if ctx has none.
//
// On UDP, Do ignores datagrams that are not the answer. It sends the request again at
// shrinking intervals. An ICMP error does not end the wait, since the server may be
// starting; if no answer comes, the returned error includes the ICMP error.
//
// On TCP, Do dials again if the server refuses the connection, for the same reason. It
// also retries once if the server closes the connection without an answer, as a server
// does that stops. It returns any other error at once.
//
// If the host is a name, Do tries at most 8 of its addresses, one after the other at
// short intervals, and the next one at once when one refuses. It returns the first
// answer from any of them.
//
// A nil error means that the server has answered, not that the service is serving.
func Do(ctx context.Context, req Request) (lmp.Answer, error) {
	if req.Kind != lmp.KindCheck && req.Kind != lmp.KindDescribe {
		return lmp.Answer{}, fmt.Errorf("a request of the kind %v has no single answer: use check or describe", req.Kind)
	}
	e, err := newExchange(req)
	if err != nil {
		return lmp.Answer{}, err
	}
	var send sendFunc
	switch req.Network {
	case "udp":
		send = e.sendUDP
	case "tcp":
		send = e.sendTCP
	default:
		return lmp.Answer{}, fmt.Errorf("the network %q is neither udp nor tcp", req.Network)
	}

	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	answer, err := sendToAny(ctx, dialer{network: req.Network, address: req.Address}, send)
	if err != nil {
		return lmp.Answer{}, fmt.Errorf("checking %s over %s: %w", req.Address, req.Network, err)
	}
	return answer, nil
}

// sendFunc sends a request to one address and returns the answer. It calls onError
// after an error that it survives by a retry, so that another address is tried meanwhile.
type sendFunc func(ctx context.Context, address string, onError func()) (lmp.Answer, error)

// sendToAny sends a request to the addresses of the server and returns the first answer.
func sendToAny(ctx context.Context, d dialer, send sendFunc) (lmp.Answer, error) {
	addresses, err := d.addresses(ctx)
	if err != nil {
		return lmp.Answer{}, err
	}
	deadline, _ := ctx.Deadline()
	return race(ctx, addresses, time.Until(deadline), send, func(lmp.Answer) {})
}

// ValidateAddress returns an error that shows the right form unless the address is
// HOST:PORT, with a port from 1 to 65535.
func ValidateAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("%q is not HOST:PORT: write it as 10.0.0.7:%d or [2001:db8::7]:%d", address, lmp.Port, lmp.Port)
}

// exchange is one request as it is sent, and what identifies its answer.
type exchange struct {
	request []byte // the frame
	kind    lmp.Kind
	nonce   uint64
	key     *lmp.Key
}

func newExchange(req Request) (*exchange, error) {
	var random [8]byte
	rand.Read(random[:]) // never fails
	e := &exchange{kind: req.Kind, nonce: binary.BigEndian.Uint64(random[:]), key: req.Key}
	request, err := lmp.AppendRequest(nil, lmp.Request{
		Kind:    req.Kind,
		Nonce:   e.nonce,
		MaxAge:  req.MaxAge,
		Service: []byte(req.Service),
	}, req.Key)
	if err != nil {
		return nil, err
	}
	e.request = request
	return e, nil
}

// answer parses the frame that b begins with. It returns an error if the frame is not
// the answer to the request.
func (e *exchange) answer(b []byte) (lmp.Answer, error) {
	a, err := lmp.ParseAnswer(b)
	if err != nil {
		return lmp.Answer{}, err
	}
	if e.key != nil {
		if err := e.key.Verify(b); err != nil {
			return lmp.Answer{}, err
		}
	}
	if a.Nonce != e.nonce || a.Kind != e.kind {
		return lmp.Answer{}, errors.New("the frame answers another request")
	}
	return a, nil
}

// timeoutError returns the error for no answer by the end of ctx. last is the latest
// error on the way.
func timeoutError(ctx context.Context, last error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if last == errTimeout {
		return last
	}
	return fmt.Errorf("%w: %w", errTimeout, last)
}
