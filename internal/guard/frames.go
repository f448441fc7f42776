package guard

import "encoding/binary"

// Frame types and flags of RFC 9113, section 6.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameContinuation = 0x9

	flagEndStream = 0x1
	flagAck       = 0x1
)

// headerLength is the length of a frame header, and preface the length of the
// client's connection preface (RFC 9113, section 3.4), both in bytes.
const (
	headerLength = 9
	preface      = 24
)

// frame is a frame header.
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

// scanner finds the frame headers in a stream of bytes that arrives in pieces.
type scanner struct {
	skip   int // bytes until the next header
	header [headerLength]byte
	have   int // bytes of header that have arrived
}

// scan calls found for each header that ends in b, until found returns an error.
func (s *scanner) scan(b []byte, found func(frame) error) error {
	for len(b) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			s.skip -= n
			b = b[n:]
			continue
		}
		n := copy(s.header[s.have:], b)
		s.have += n
		b = b[n:]
		if s.have < headerLength {
			return nil
		}
		s.have = 0
		f := frame{
			length: int(s.header[0])<<16 | int(s.header[1])<<8 | int(s.header[2]),
			kind:   s.header[3],
			flags:  s.header[4],
			stream: binary.BigEndian.Uint32(s.header[5:]) &^ (1 << 31),
		}
		s.skip = f.length
		if err := found(f); err != nil {
			return err
		}
	}
	return nil
}
