package lmp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// minSecret is the minimum size of a secret in bytes. A shorter secret would be easier
// to guess than the 16 bytes of the code on the wire.
const minSecret = 16

// ErrUnauthenticated is matched by the error for a frame that is not signed, is signed
// with another key, or was changed after it was signed.
var ErrUnauthenticated = errors.New("not authenticated")

// Key is a numbered secret that checkers and servers share.
type Key struct {
	Number uint32
	macs   sync.Pool // of *mac
}

// mac is a reusable HMAC-SHA-256 with a buffer for its sum.
type mac struct {
	hash.Hash
	sum [sha256.Size]byte
}

// NewKey returns a key with a copy of the secret, which must have at least 16 bytes.
func NewKey(number uint32, secret []byte) (*Key, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("the secret of key %d has %d bytes and needs at least %d", number, len(secret), minSecret)
	}
	secret = append([]byte(nil), secret...)
	k := &Key{Number: number}
	k.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }
	return k, nil
}

// sign appends field 7F to the frame b[start:] and sets the frame's length.
func (k *Key) sign(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+6:], uint16(len(b)-start+authentication))
	b = append(b, fieldAuthentication, authValue)
	b = binary.BigEndian.AppendUint32(b, k.Number)
	m := k.macs.Get().(*mac)
	b = append(b, m.code(b[start:])...)
	k.macs.Put(m)
	return b
}

// code returns the code of b, which is valid until m is used again.
func (m *mac) code(b []byte) []byte {
	m.Reset()
	m.Write(b)
	return m.Sum(m.sum[:0])[:macLength]
}

// Verify returns nil if the frame that b begins with was signed with k. The error
// matches ErrUnauthenticated, or ErrMalformed if b begins with no frame.
func (k *Key) Verify(b []byte) error {
	_, err := Keys{k}.Verify(b)
	return err
}

// Keys are the keys that a server accepts.
type Keys []*Key

// Verify returns the key that signed the frame that b begins with; the answer must be
// signed with it. The error matches ErrUnauthenticated, or ErrMalformed if b begins
// with no frame. Without keys every frame is unauthenticated, so a server that is to
// accept unsigned requests must not call Verify. Verify allocates nothing.
func (ks Keys) Verify(b []byte) (*Key, error) {
	frame, err := cutFrame(b)
	if err != nil {
		return nil, err
	}
	signed := false
	for fields := frame[HeaderLength:]; len(fields) > 0 && !signed; {
		kind, _, rest, err := cutField(fields)
		if err != nil {
			return nil, err
		}
		signed = kind == fieldAuthentication
		fields = rest
	}
	if !signed {
		return nil, unauthenticated("the frame is not signed")
	}
	covered, code := frame[:len(frame)-macLength], frame[len(frame)-macLength:]
	number := binary.BigEndian.Uint32(covered[len(covered)-keyNumber:])
	for _, k := range ks {
		if k.Number != number {
			continue
		}
		m := k.macs.Get().(*mac)
		same := hmac.Equal(code, m.code(covered))
		k.macs.Put(m)
		if !same {
			return nil, unauthenticated("the signature is wrong: it was made with another secret, or the frame was changed")
		}
		return k, nil
	}
	return nil, unauthenticated("the frame is signed with a key of another number")
}

// unauthenticated is an error that says why a frame is not authenticated. Like
// malformed, it is created without allocation.
type unauthenticated string

func (u unauthenticated) Error() string { return "not authenticated: " + string(u) }

// Is reports whether target is ErrUnauthenticated, for [errors.Is].
func (u unauthenticated) Is(target error) bool { return target == ErrUnauthenticated }
