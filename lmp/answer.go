package lmp

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"
)

// Bits of an answer's flags.
const (
	flagDegraded  = 0x0001
	flagTruncated = 0x0002
)

// Answer is what a server says of a service.
type Answer struct {
	Kind   Kind // the request's
	Status Status
	Cause  Cause
	Nonce  uint64 // the request's

	Weight    uint8         // percent of capacity, 0 to 100; 0 when not serving
	Failing   uint8         // landmarks failing; 255 stands for that many or more
	Degraded  bool          // serving at less than its full weight
	Truncated bool          // a part did not fit and was left out
	Age       time.Duration // of the facts, in whole milliseconds up to 49.7 days
	StatusAge time.Duration // how long the status has stood, likewise
	Changes   uint32        // counts the changes of the verdict; wraps

	// Reason and Landmarks are for DESCRIBE alone. They are text from the
	// program that is asked about: fit for people, not to be trusted.
	Reason    string     // at most 255 bytes
	Landmarks []Landmark // failing first
}

// Landmark is what a server says of one landmark of a service, from the instance
// where it stands worst.
type Landmark struct {
	Kind   LandmarkKind
	State  State
	Impact Impact
	Age    time.Duration // in whole milliseconds up to 49.7 days

	// Value is a Level's number, a Loop's lag in seconds, a Deadline's count of
	// open pieces of work, else 0.
	Value float64
	Name  string // at most 239 bytes
}

// AppendAnswer appends a's frame to dst, signed with key unless that is nil. It
// allocates nothing if dst has room.
//
// An answer to CHECK or WATCH has no fields: it takes 32 bytes, 54 signed,
// whatever the limit. An answer to DESCRIBE takes at most limit bytes, which are
// MaxLength on TCP, and on UDP the lesser of MaxDatagram and the length of the
// request's datagram. The reason goes in first if it fits, then the landmarks in
// their order up to the first that does not fit; if anything is left out, the
// answer says that it is truncated. A reason or a name that is too long for its
// field is cut at a rune.
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
		room := min(limit, MaxLength) - HeaderLength
		if key != nil {
			room -= authentication
		}
		var whole bool
		dst, whole = appendDescription(dst, a, room)
		truncated = truncated || !whole
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

// appendDescription appends the reason and the landmarks, as much as room bytes
// take, and tells whether that was all.
func appendDescription(dst []byte, a *Answer, room int) (_ []byte, whole bool) {
	whole = true
	if reason := cutText(a.Reason, maxFieldValue); reason != "" {
		if size := fieldHeader + len(reason); size <= room {
			dst = append(dst, fieldReason, byte(len(reason)))
			dst = append(dst, reason...)
			room -= size
		} else {
			whole = false
		}
	}
	for i := range a.Landmarks {
		l := &a.Landmarks[i]
		name := cutText(l.Name, maxFieldValue-landmarkFixed)
		size := fieldHeader + landmarkFixed + len(name)
		if size > room {
			// A shorter one after it might fit, but would hide that a worse one
			// is missing.
			return dst, false
		}
		dst = append(dst, fieldLandmark, byte(landmarkFixed+len(name)), byte(l.Kind), byte(l.State), byte(l.Impact), 0)
		dst = binary.BigEndian.AppendUint32(dst, milliseconds(l.Age))
		dst = binary.BigEndian.AppendUint64(dst, math.Float64bits(l.Value))
		dst = append(dst, name...)
		room -= size
	}
	return dst, whole
}

// ParseAnswer reads the answer that b begins with; what follows the frame is left
// alone. Whether the answer belongs to a question is the checker's to judge, by
// Kind, Nonce and [Key.Verify]. The error matches ErrMalformed.
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

// parseFields reads what follows the header into a, whose Kind is set.
func (a *Answer) parseFields(fields []byte) error {
	reasoned := false
	for len(fields) > 0 {
		kind, value, rest, err := cutField(fields)
		if err != nil {
			return err
		}
		switch {
		case a.Kind != KindDescribe: // only DESCRIBE is described
		case kind == fieldReason:
			if reasoned {
				return malformed("field 04 is there twice")
			}
			reasoned = true
			a.Reason = string(value)
		case kind == fieldLandmark:
			if len(value) < landmarkFixed {
				return malformed("field 03 has less than 16 bytes")
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

// cutText returns as much of s as limit bytes take without splitting a rune.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
