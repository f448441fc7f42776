package lmp

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// Bits of an answer's flags.
const (
	flagDegraded  = 0x0001
	flagTruncated = 0x0002
)

// Answer is a server's answer to a request about a service.
type Answer struct {
	Kind   Kind // that of the request
	Status Status
	Cause  Cause
	Nonce  uint64 // that of the request

	Weight    uint8         // percent of capacity, 0 to 100; 0 when not serving
	Failing   uint8         // how many landmarks fail; 255 means 255 or more
	Degraded  bool          // serving at less than its full weight
	Truncated bool          // a part did not fit and is missing
	Age       time.Duration // age of the facts, in whole milliseconds up to 49.7 days
	StatusAge time.Duration // since the status last changed, likewise
	Changes   uint32        // counts the changes of the verdict; wraps

	// Reason and Landmarks are only in an answer to DESCRIBE. Reason and the names
	// come from the program that is checked: show them to people, but escape them.
	Reason    string     // at most 255 bytes
	Landmarks []Landmark // failing first
}

// Landmark is the state of one landmark of a service, on the instance where it is
// worst.
type Landmark struct {
	Kind   LandmarkKind
	State  State
	Impact Impact
	Age    time.Duration // in whole milliseconds up to 49.7 days

	// Value is a Level's number, a Loop's lag in seconds, or how many pieces of work
	// a Deadline has open. It is 0 for the other kinds.
	Value float64
	Name  string // at most 239 bytes
}

// AppendAnswer appends a's frame to dst and returns the result. It signs the frame
// with key unless key is nil. It allocates nothing if dst has enough capacity.
//
// An answer to CHECK or WATCH has no fields: 32 bytes, or 54 when signed, whatever
// the limit. An answer to DESCRIBE has at most limit bytes. Pass MaxLength on TCP,
// and on UDP the lesser of MaxDatagram and the length of the request's datagram.
// The reason comes first, if it fits, then the landmarks up to the first that does
// not fit. If anything is left out, the frame is marked as truncated. AppendAnswer
// cuts a reason or a name that is too long for its field at a rune.
func AppendAnswer(dst []byte, a *Answer, limit int, key *Key) []byte {
	start := len(dst)
	dst = append(dst, magic>>8, magic&0xFF, version, byte(a.Kind)|answerFlag, byte(a.Status), byte(a.Cause), 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, a.Nonce)
	dst = append(dst, a.Weight, a.Failing, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, milliseconds(a.Age))
	dst = binary.BigEndian.AppendUint32(dst, milliseconds(a.StatusAge))
	dst = binary.BigEndian.AppendUint32(dst, a.Changes)

	truncated := a.Truncated
	if a.Kind == KindDescribe {
		space := min(limit, MaxLength) - HeaderLength
		if key != nil {
			space -= authentication
		}
		var complete bool
		dst, complete = appendDescription(dst, a, space)
		truncated = truncated || !complete
	}

	var flags uint16
	if a.Degraded {
		flags |= flagDegraded
	}
	if truncated {
		flags |= flagTruncated
	}
	binary.BigEndian.PutUint16(dst[start+18:], flags)
	return finish(dst, start, key)
}

// appendDescription appends the reason and the landmarks, at most space bytes, and
// reports whether everything fit.
func appendDescription(dst []byte, a *Answer, space int) (_ []byte, complete bool) {
	complete = true
	if reason := contract.CutText(a.Reason, maxFieldValue); reason != "" {
		if size := fieldHeader + len(reason); size <= space {
			dst = append(dst, fieldReason, byte(len(reason)))
			dst = append(dst, reason...)
			space -= size
		} else {
			complete = false
		}
	}
	for i := range a.Landmarks {
		l := &a.Landmarks[i]
		name := contract.CutText(l.Name, maxFieldValue-landmarkFixed)
		size := fieldHeader + landmarkFixed + len(name)
		if size > space {
			// A later, shorter one might fit, but would hide that a worse one is
			// missing.
			return dst, false
		}
		dst = append(dst, fieldLandmark, byte(landmarkFixed+len(name)), byte(l.Kind), byte(l.State), byte(l.Impact), 0)
		dst = binary.BigEndian.AppendUint32(dst, milliseconds(l.Age))
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(l.Value))
		dst = append(dst, name...)
		space -= size
	}
	return dst, complete
}

// ParseAnswer parses the answer that b begins with. It ignores what follows the frame.
// The caller must check that the answer is the one to its request, by Kind, Nonce and
// [Key.Verify]. The error matches ErrMalformed.
func ParseAnswer(b []byte) (Answer, error) {
	frame, err := cutFrame(b)
	if err != nil {
		return Answer{}, err
	}
	if frame[3]&answerFlag == 0 {
		return Answer{}, malformed("it is a request, not an answer")
	}
	flags := binary.BigEndian.Uint16(frame[18:])
	a := Answer{
		Kind:      Kind(frame[3] &^ answerFlag),
		Status:    Status(frame[4]),
		Cause:     Cause(frame[5]),
		Nonce:     binary.BigEndian.Uint64(frame[8:]),
		Weight:    frame[16],
		Failing:   frame[17],
		Degraded:  flags&flagDegraded != 0,
		Truncated: flags&flagTruncated != 0,
		Age:       duration(binary.BigEndian.Uint32(frame[20:])),
		StatusAge: duration(binary.BigEndian.Uint32(frame[24:])),
		Changes:   binary.BigEndian.Uint32(frame[28:]),
	}
	if err := checkKind(a.Kind); err != nil {
		return Answer{}, err
	}
	if err := a.parseFields(frame[HeaderLength:]); err != nil {
		return Answer{}, err
	}
	return a, nil
}

// parseFields parses the fields into a, whose Kind must be set.
func (a *Answer) parseFields(fields []byte) error {
	hasReason := false
	for len(fields) > 0 {
		kind, value, rest, err := cutField(fields)
		if err != nil {
			return err
		}
		switch {
		case a.Kind != KindDescribe: // skip: reason and landmarks are for DESCRIBE
		case kind == fieldReason:
			if hasReason {
				return malformed("field 04 occurs twice")
			}
			hasReason = true
			a.Reason = string(value)
		case kind == fieldLandmark:
			if len(value) < landmarkFixed {
				return malformed("field 03 has fewer than 16 bytes")
			}
			a.Landmarks = append(a.Landmarks, Landmark{
				Kind:   LandmarkKind(value[0]),
				State:  State(value[1]),
				Impact: Impact(value[2]),
				Age:    duration(binary.BigEndian.Uint32(value[4:])),
				Value:  math.Float64frombits(binary.BigEndian.Uint64(value[8:])),
				Name:   string(value[landmarkFixed:]),
			})
		}
		fields = rest
	}
	return nil
}
