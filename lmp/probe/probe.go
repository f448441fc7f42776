// Package probe asks a Landmark sidecar how a service is, by the monitoring
// protocol of package lmp. [Ask] puts one question and waits for its answer;
// [Watch] has each change told, and knows silence from health.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// comeback is how long a server that is not there gets to come up before it is asked
// again.
const comeback = 50 * time.Millisecond

// patience is how long Ask waits if its context sets no deadline.
const patience = time.Second

// ErrRefused is matched by Ask's error if a server on TCP took the question and
// closed the connection without a word: it is malformed to that server, or lacks
// the signature that it wants. On UDP such a server is silent.
var ErrRefused = errors.New("the server closed the connection without an answer")

// Question is what to ask, and whom.
type Question struct {
	Network string        // "udp" or "tcp"
	Address string        // HOST:PORT of the sidecar
	Kind    lmp.Kind      // lmp.KindCheck or lmp.KindDescribe; Watch has its own
	Service string        // at most 255 bytes; "" is the whole of all services
	MaxAge  time.Duration // how old the facts may be; 0 leaves it to the service
	Key     *lmp.Key      // signs the question and must have signed the answer; nil for neither
}

// Ask puts q and returns its answer: the one with q's kind and the question's
// random nonce, signed with q.Key if there is one. It returns as soon as the answer
// is there and never later than ctx allows, or after 1 s if ctx has no deadline.
//
// On UDP, datagrams that are not the answer are passed over, the question is sent
// again at growing haste while time is left, and a refusal by ICMP does not end the
// wait, for the server may be starting; if nothing else comes, the error tells it.
//
// On TCP, a server that refuses the connection is dialled again while time is left,
// for the same reason, and so is, once, one that closes it without a word, as a
// server does that is just ending. Any other failure is final.
//
// If the host is a name, its addresses, at most 8 of them, are asked one
// after the other at short intervals, the next one at once when one refuses, and the
// first answer of any is returned.
//
// A nil error means that the server has answered, not that the service is serving.
func Ask(ctx context.Context, q Question) (lmp.Answer, error) {
	if q.Kind != lmp.KindCheck && q.Kind != lmp.KindDescribe {
		return lmp.Answer{}, fmt.Errorf("one answer cannot be had to the kind %v", q.Kind)
	}
	ask := askByDatagrams
	switch q.Network {
	case "udp":
	case "tcp":
		ask = askByStreams
	default:
		return lmp.Answer{}, fmt.Errorf("the network %q is neither udp nor tcp", q.Network)
	}
	e, err := newExchange(q)
	if err != nil {
		return lmp.Answer{}, err
	}

	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	answer, err := e.ask(ctx, dialer{network: q.Network, address: q.Address}, ask)
	if err != nil {
		return lmp.Answer{}, fmt.Errorf("asking %s by %s: %w", q.Address, q.Network, err)
	}
	return answer, nil
}

// ask puts the question to each address of the server by the function put, and
// returns the first answer.
func (e *exchange) ask(ctx context.Context, d dialer, put func(context.Context, string, *exchange, func()) (lmp.Answer, error)) (lmp.Answer, error) {
	addresses, err := d.addresses(ctx)
	if err != nil {
		return lmp.Answer{}, err
	}
	deadline, _ := ctx.Deadline()
	return race(ctx, addresses, time.Until(deadline), func(ctx context.Context, address string, setback func()) (lmp.Answer, error) {
		return put(ctx, address, e, setback)
	}, func(lmp.Answer) {})
}

// exchange is one question as it goes out, and how its answer is known.
type exchange struct {
	request []byte // the frame
	kind    lmp.Kind
	nonce   uint64
	key     *lmp.Key
}

func newExchange(q Question) (*exchange, error) {
	var random [8]byte
	rand.Read(random[:]) // never fails
	e := &exchange{kind: q.Kind, nonce: binary.BigEndian.Uint64(random[:]), key: q.Key}
	request, err := lmp.AppendRequest(nil, lmp.Request{
		Kind:    q.Kind,
		Nonce:   e.nonce,
		MaxAge:  q.MaxAge,
		Service: []byte(q.Service),
	}, q.Key)
	if err != nil {
		return nil, err
	}
	e.request = request
	return e, nil
}

// answer reads the frame that b begins with, and tells why it is not the answer if
// it is not.
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
		return lmp.Answer{}, errors.New("what came answers another question")
	}
	return a, nil
}
