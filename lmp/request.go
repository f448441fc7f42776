package lmp

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Request is a question about a service.
type Request struct {
	Kind Kind

	// Nonce is returned in the answer, and tells it from answers to others.
	Nonce uint64

	// MaxAge is how old the facts behind the answer may be, up to 49.7 days in
	// whole milliseconds. 0 leaves it to the service.
	MaxAge time.Duration

	// Service is the name asked for, at most 255 bytes. Empty is the whole of
	// all services. After ParseRequest it is a view into the frame, good for as
	// long as that is.
	Service []byte

	// Length is the size in bytes of the frame that was read, so that on a
	// stream the next frame begins there. AppendRequest ignores it.
	Length int
}

// ParseRequest reads the request that b begins with. What follows the frame is
// left alone: on UDP it counts as padding, on TCP it is the next frame. It
// allocates nothing, and checks no signature: that is [Keys.Verify]'s work.
// The error matches ErrMalformed.
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
				return Request{}, malformed("field 01 is there twice")
			}
			q.Service = value
		}
		fields = rest
	}
	return q, nil
}

// AppendRequest appends q's frame to dst, signed with key unless that is nil.
// A MaxAge that is more than 0 is sent as at least 1 ms. The error matches
// ErrMalformed: there is no such kind, or the service name is over 255 bytes.
func AppendRequest(dst []byte, q Request, key *Key) ([]byte, error) {
	if err := checkKind(q.Kind); err != nil {
		return dst, err
	}
	if len(q.Service) > MaxService {
		return dst, fmt.Errorf("%w: a service name has %d bytes and may have %d", ErrMalformed, len(q.Service), MaxService)
	}
	maxAge := milliseconds(q.MaxAge)
	if q.MaxAge > 0 {
		maxAge = max(maxAge, 1) // 0 would ask for the service's own
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
