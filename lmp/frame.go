package lmp

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

const (
	// Port is where a server listens, TCP and UDP, unless told otherwise: the
	// magic read as a number.
	Port = 0x4C4D // 19533

	// HeaderLength is the size in bytes of a frame without fields.
	HeaderLength = 32

	// MaxLength is the size in bytes of the longest frame.
	MaxLength = math.MaxUint16

	// MaxDatagram is the size in bytes of the longest answer over UDP: what an
	// Ethernet frame takes over IPv4.
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
	maxFieldValue  = 255 // what a length of one byte can say
	landmarkFixed  = 16  // a landmark's value without its name
	macLength      = 16
	keyNumber      = 4
	authValue      = keyNumber + macLength
	authentication = fieldHeader + authValue
)

// ErrMalformed is matched by the error for every frame that breaks the rules of
// the package comment. The error's own text says which.
var ErrMalformed = errors.New("malformed frame")

// malformed is one way of breaking the rules. A constant of it becomes an error
// without allocating, so a flood of broken frames costs a server no memory.
type malformed string

func (m malformed) Error() string { return "malformed frame: " + string(m) }

// Is makes every malformed match ErrMalformed.
func (m malformed) Is(target error) bool { return target == ErrMalformed }

// FrameLength tells from the first bytes of a frame how long the whole of it is,
// 32 to 65,535 bytes. It returns 0 while start is too short to tell (8 bytes are
// enough), and an error matching ErrMalformed as soon as no frame of this version
// can begin so, which lets a server on a stream refuse at the first wrong byte.
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
		return 0, malformed("its length field says less than 32 bytes")
	}
	return n, nil
}

// cutFrame returns the frame that b begins with; what follows it is padding.
func cutFrame(b []byte) ([]byte, error) {
	n, err := FrameLength(b)
	if err != nil {
		return nil, err
	}
	if len(b) < HeaderLength {
		return nil, malformed("it has less than 32 bytes")
	}
	if len(b) < n {
		return nil, malformed("it is shorter than its length field says")
	}
	return b[:n:n], nil
}

// checkKind tells whether there is a kind of that number.
func checkKind(k Kind) error {
	if k < KindCheck || k > KindDescribe {
		return malformed("there is no such kind")
	}
	return nil
}

// cutField splits fields, which are not empty, into the first of them and the
// rest. It holds the rules that every field obeys, and those of field 7F.
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
			return 0, nil, nil, malformed("field 7F is not of 20 bytes")
		}
		if len(rest) != 0 {
			return 0, nil, nil, malformed("field 7F is not the last")
		}
	}
	return kind, value, rest, nil
}

// finish sets the length of the frame that begins at start and ends with b, and
// signs it if there is a key.
func finish(b []byte, start int, key *Key) []byte {
	if key != nil {
		return key.sign(b, start)
	}
	binary.BigEndian.PutUint16(b[start+6:], uint16(len(b)-start))
	return b
}

// milliseconds returns d in whole milliseconds, rounded down and held to what 32
// bits can say.
func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

// duration is the inverse of milliseconds.
func duration(ms uint32) time.Duration { return time.Duration(ms) * time.Millisecond }
