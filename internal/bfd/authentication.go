package bfd

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
)

const (
	// keyedSHA1 is the only kind of authentication that this package knows (section
	// 4.1). Of the others, two use MD5 or no hash. The meticulous ones need a new
	// sequence number for each packet, which a restarted program does not know.
	keyedSHA1 = 4
	// sha1Length is the length of its section (section 4.4): kind 1, length 1, key 1,
	// reserved 1, sequence 4, digest 20.
	sha1Length = 8 + sha1.Size
)

// Authentication is an authentication section of keyed SHA1.
type Authentication struct {
	Key      uint8 // its number
	Reserved uint8 // 0 when sent
	Sequence uint32
	Digest   [sha1.Size]byte
}

func parseAuthentication(b []byte) (Authentication, error) {
	switch {
	case len(b) < 2 || int(b[1]) < 2 || int(b[1]) > len(b):
		return Authentication{}, ErrMalformed
	case b[0] != keyedSHA1:
		return Authentication{}, ErrAuthentication
	case b[1] != sha1Length:
		return Authentication{}, ErrMalformed
	}
	return Authentication{b[2], b[3], binary.BigEndian.Uint32(b[4:]), [sha1.Size]byte(b[8:])}, nil
}

func (a *Authentication) append(b []byte) []byte {
	b = append(b, keyedSHA1, sha1Length, a.Key, a.Reserved)
	b = binary.BigEndian.AppendUint32(b, a.Sequence)
	return append(b, a.Digest[:]...)
}

// MaxSecret is the length of the longest secret of a Key.
const MaxSecret = sha1.Size

// Key is a shared secret with its number. The zero Key has no secret, and
// authenticates nothing.
type Key struct {
	Number uint8
	Secret [MaxSecret]byte // padded with zeros
}

// IsZero reports whether there is no secret.
func (k *Key) IsZero() bool { return k.Secret == [MaxSecret]byte{} }

// Append appends the packet, authenticated with the key and the sequence number.
func (k *Key) Append(b []byte, p Packet, sequence uint32) []byte {
	// The digest is that of the packet with the secret in place of the digest
	// (section 6.7.4).
	p.Authenticated = true
	p.Authentication = Authentication{Key: k.Number, Sequence: sequence, Digest: k.Secret}
	begin := len(b)
	b = p.Append(b)
	digest := sha1.Sum(b[begin:])
	copy(b[len(b)-len(digest):], digest[:])
	return b
}

// Verify reports whether the key made the digest of the packet p, which Parse read
// from b. It does not check the sequence number.
func (k *Key) Verify(b []byte, p *Packet) bool {
	if !p.Authenticated || p.Authentication.Key != k.Number {
		return false
	}
	var copied [255]byte // the packet's length is one byte
	packet := copied[:copy(copied[:], b[:b[3]])]
	copy(packet[headerLength+8:], k.Secret[:])
	digest := sha1.Sum(packet)
	return subtle.ConstantTimeCompare(digest[:], p.Authentication.Digest[:]) == 1
}
