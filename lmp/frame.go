package lmp

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

const (
	// Port is the default port of a server, on TCP and UDP: the magic read as a
	// number.
	Port = 0x4C4D // 19533

	// HeaderLength is the size in bytes of a frame without fields.
	HeaderLength = 32

	// MaxLength is the size in bytes of the longest frame.
	MaxLength = math.MaxUint16

	// MaxDatagram is the size in bytes of the longest answer over UDP: what fits
	// into an Ethernet frame over IPv4.
	MaxDatagram = 1472

	// MaxService is the size in bytes of the longest service name.
	MaxService = maxFieldValue
)

const (
	magic      = 0x4C4D
	version    = 1
	answerFlag = 0x80 // added to the kind in an answer
)

// Field types.
const (
	fieldService        = 0x01
	fieldLandmark       = 0x03
	fieldReason         = 0x04
	fieldAuthentication = 0x7F
)

const (
	fieldHeader    = 2   // type and length
	maxFieldValue  = 255 // the largest length of one byte
	landmarkFixed  = 16  // value of field 03 without the name
	macLength      = 16
	keyNumber      = 4
	authValue      = keyNumber + macLength   // value of field 7F
	authentication = fieldHeader + authValue // the whole field 7F
)

// ErrMalformed is matched by the error for a frame that breaks a rule of the package
// comment. The error's text says which rule.
var ErrMalformed = errors.New("malformed frame")

// malformed is an error that says what is wrong with a frame. A constant of this type
// becomes an error without allocation, so a flood of bad frames costs a server no
// memory.
type malformed string

func (m malformed) Error() string { return "malformed frame: " + string(m) }

// Is reports whether target is ErrMalformed, for [errors.Is].
func (m malformed) Is(target error) bool { return target == ErrMalformed }

// FrameLength returns the length of the frame that begins with start: 32 to 65,535
// bytes, or 0 if start is too short to have the length (8 bytes are enough). It
// returns an error that matches ErrMalformed if no frame of this version begins with
// start, so that a server on a stream can reject a frame at its first wrong byte.
func FrameLength(start []byte) (int, error) {
	if len(start) > 0 && start[0] != magic>>8 || len(start) > 1 && start[1] != magic&0xFF {
		return 0, malformed("it does not begin with 4C 4D")
	}
	if len(start) > 2 && start[2] != version {
		return 0, malformed("its version is not 1")
	}
	if len(start) < 8 {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(start[6:]))
	if n < HeaderLength {
		return 0, malformed("its length field is less than 32")
	}
	return n, nil
}

// cutFrame returns the frame that b begins with. What follows the frame is padding.
func cutFrame(b []byte) ([]byte, error) {
	n, err := FrameLength(b)
	if err != nil {
		return nil, err
	}
	if len(b) < HeaderLength {
		return nil, malformed("it has fewer than 32 bytes")
	}
	if len(b) < n {
		return nil, malformed("it is shorter than its length field says")
	}
	return b[:n:n], nil
}

// checkKind returns an error unless k is a known kind.
func checkKind(k Kind) error {
	if k < KindCheck || k > KindDescribe {
		return malformed("its kind is unknown")
	}
	return nil
}

// cutField splits fields, which must not be empty, into the first field and the rest.
// It checks the rules that apply to every field, and those of field 7F.
func cutField(fields []byte) (kind byte, value, rest []byte, err error) {
	if len(fields) < fieldHeader {
		return 0, nil, nil, malformed("a field has no length")
	}
	kind = fields[0]
	end := fieldHeader + int(fields[1])
	if end > len(fields) {
		return 0, nil, nil, malformed("a field overruns the frame")
	}
	value, rest = fields[fieldHeader:end:end], fields[end:]
	if kind == fieldAuthentication {
		if len(value) != authValue {
			return 0, nil, nil, malformed("field 7F does not have 20 bytes")
		}
		if len(rest) != 0 {
			return 0, nil, nil, malformed("field 7F is not the last")
		}
	}
	return kind, value, rest, nil
}

// finish completes the frame b[start:]: it sets the length, and signs the frame if key
// is not nil.
func finish(b []byte, start int, key *Key) []byte {
	if key != nil {
		return key.sign(b, start)
	}
	binary.BigEndian.PutUint16(b[start+6:], uint16(len(b)-start))
	return b
}

// milliseconds returns d in whole milliseconds, rounded down and limited to the range
// of 32 bits.
func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

// duration is the inverse of milliseconds.
func duration(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
