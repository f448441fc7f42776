package lmp

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Request is a checker's request about a service.
type Request struct {
	Kind Kind

	// Nonce is returned in the answer. It identifies the answer to this request.
	Nonce uint64

	// MaxAge is how old the facts behind the answer may be, in whole milliseconds up
	// to 49.7 days; 0 = as the service is configured. In a WATCH it is the keep-alive
	// interval.
	MaxAge time.Duration

	// Service is the service's name, at most 255 bytes; empty = all services
	// together. ParseRequest returns a slice of the frame, which allocates nothing:
	// clone it before the frame's buffer is used again.
	Service []byte

	// Length is the size in bytes of the frame that ParseRequest has parsed: on a
	// stream the next frame begins there. AppendRequest ignores it.
	Length int
}

// ParseRequest parses the request that b begins with. It ignores what follows the
// frame: padding on UDP, the next frame on TCP. It does not verify a signature; use
// [Keys.Verify] for that. It allocates nothing. The error matches ErrMalformed.
func ParseRequest(b []byte) (Request, error) {
	frame, err := cutFrame(b)
	if err != nil {
		return Request{}, err
	}
	q := Request{
		Kind:   Kind(frame[3]),
		Nonce:  binary.BigEndian.Uint64(frame[8:]),
		MaxAge: duration(binary.BigEndian.Uint32(frame[16:])),
		Length: len(frame),
	}
	if err := checkKind(q.Kind); err != nil {
		return Request{}, err
	}
	for fields := frame[HeaderLength:]; len(fields) > 0; {
		kind, value, rest, err := cutField(fields)
		if err != nil {
			return Request{}, err
		}
		if kind == fieldService {
			if q.Service != nil {
				return Request{}, malformed("field 01 occurs twice")
			}
			q.Service = value
		}
		fields = rest
	}
	return q, nil
}

// AppendRequest appends q's frame to dst and returns the result. It signs the frame
// with key unless key is nil. A MaxAge of more than 0 is sent as at least 1 ms. The
// error matches ErrMalformed: the kind is unknown, or the service name has more than
// 255 bytes.
func AppendRequest(dst []byte, q Request, key *Key) ([]byte, error) {
	if err := checkKind(q.Kind); err != nil {
		return dst, err
	}
	if len(q.Service) > MaxService {
		return dst, fmt.Errorf("%w: the service name has %d bytes, the limit is %d", ErrMalformed, len(q.Service), MaxService)
	}
	maxAge := milliseconds(q.MaxAge)
	if q.MaxAge > 0 {
		maxAge = max(maxAge, 1) // 0 on the wire means no limit from the checker
	}

	start := len(dst)
	dst = append(dst, magic>>8, magic&0xFF, version, byte(q.Kind), 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, q.Nonce)
	dst = binary.BigEndian.AppendUint32(dst, maxAge)
	dst = append(dst, make([]byte, 12)...)
	if len(q.Service) > 0 {
		dst = append(dst, fieldService, byte(len(q.Service)))
		dst = append(dst, q.Service...)
	}
	return finish(dst, start, key), nil
}
