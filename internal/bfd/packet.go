// Package bfd is Bidirectional Forwarding Detection (RFC 5880): the control packet
// and its authentication, and a session as a machine without a clock or a socket.
//
// A control packet is 24 bytes, then an optional authentication section:
//
//	 0  1  version (3 bits, 1), diagnostic (5 bits)
//	 1  1  state (2 bits), P F C A D M
//	 2  1  detection time multiplier
//	 3  1  length of the packet
//	 4  4  my discriminator
//	 8  4  your discriminator
//	12  4  desired min TX interval, µs
//	16  4  required min RX interval, µs
//	20  4  required min echo RX interval, µs
//	24  …  authentication section, if A is set
//
// [Parse] makes the reception checks of section 6.8.6 that need no session, and
// [Session.Receive] makes the others.
package bfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Port is the UDP port of control packets over a single hop (RFC 5881, section 4).
const Port = 3784

const (
	version      = 1
	headerLength = 24
)

// MaxLength is the length of the longest packet that Append makes.
const MaxLength = headerLength + sha1Length

// State is the state of a session, as a packet carries it.
type State uint8

// The states (RFC 5880, section 4.1).
const (
	AdminDown State = iota
	Down
	Init
	Up
)

// String returns the RFC's name of the state.
func (s State) String() string {
	return [...]string{"AdminDown", "Down", "Init", "Up"}[s&3]
}

// Diagnostic says why the session of the sender last changed its state.
type Diagnostic uint8

// The diagnostics that a Session sends (RFC 5880, section 4.1).
const (
	NoDiagnostic     Diagnostic = 0
	DetectionExpired Diagnostic = 1
	NeighborDown     Diagnostic = 3
	PathDown         Diagnostic = 5
)

// String says what a Session means by the diagnostic.
func (d Diagnostic) String() string {
	switch d {
	case NoDiagnostic:
		return "none"
	case DetectionExpired:
		return "the peer is silent"
	case NeighborDown:
		return "the peer has ended it"
	case PathDown:
		return "the service does not serve"
	default:
		return fmt.Sprint("diagnostic ", uint8(d))
	}
}

// The bits of byte 1.
const (
	bitMultipoint = 1 << iota
	bitDemand
	bitAuthenticated
	bitIndependent
	bitFinal
	bitPoll
)

// Packet is a control packet.
type Packet struct {
	Diagnostic        Diagnostic
	State             State
	Poll, Final       bool
	Independent       bool // of the control plane
	Demand            bool
	Multiplier        uint8
	MyDiscriminator   uint32
	YourDiscriminator uint32
	DesiredMinTX      time.Duration // in whole microseconds
	RequiredMinRX     time.Duration // in whole microseconds; 0 = send no periodic packets
	RequiredMinEchoRX time.Duration // in whole microseconds; 0 = no echoes
	Authenticated     bool          // it has an Authentication
	Authentication    Authentication
}

// ErrMalformed is the error of a packet that must be discarded whatever the session.
var ErrMalformed = errors.New("malformed BFD control packet")

// ErrAuthentication is the error of a packet that is not authenticated as it should be.
var ErrAuthentication = errors.New("BFD control packet without the right authentication")

// Parse parses the payload of a datagram. What follows the packet is ignored. Parse
// does not verify an authentication section: see [Key.Verify].
func Parse(b []byte) (Packet, error) {
	switch {
	case len(b) < headerLength,
		b[0]>>5 != version,
		int(b[3]) < headerLength,
		int(b[3]) > len(b),
		b[2] == 0, // multiplier
		b[1]&bitMultipoint != 0:
		return Packet{}, ErrMalformed
	}
	flags := b[1]
	p := Packet{
		Diagnostic:        Diagnostic(b[0] & 0x1f),
		State:             State(flags >> 6),
		Poll:              flags&bitPoll != 0,
		Final:             flags&bitFinal != 0,
		Independent:       flags&bitIndependent != 0,
		Demand:            flags&bitDemand != 0,
		Multiplier:        b[2],
		MyDiscriminator:   binary.BigEndian.Uint32(b[4:]),
		YourDiscriminator: binary.BigEndian.Uint32(b[8:]),
		DesiredMinTX:      microseconds(b[12:]),
		RequiredMinRX:     microseconds(b[16:]),
		RequiredMinEchoRX: microseconds(b[20:]),
	}
	switch {
	case p.MyDiscriminator == 0,
		p.YourDiscriminator == 0 && p.State != Down && p.State != AdminDown:
		return Packet{}, ErrMalformed
	}
	if flags&bitAuthenticated == 0 {
		return p, nil
	}
	var err error
	if p.Authentication, err = parseAuthentication(b[headerLength:b[3]]); err != nil {
		return Packet{}, err
	}
	p.Authenticated = true
	return p, nil
}

// Append appends the packet. The digest of an authentication section is appended as
// it is: see [Key.Append].
func (p *Packet) Append(b []byte) []byte {
	length := headerLength
	if p.Authenticated {
		length += sha1Length
	}
	flags := uint8(p.State)<<6 | bit(p.Poll, bitPoll) | bit(p.Final, bitFinal) | bit(p.Independent, bitIndependent) |
		bit(p.Authenticated, bitAuthenticated) | bit(p.Demand, bitDemand)
	b = append(b, version<<5|uint8(p.Diagnostic)&0x1f, flags, p.Multiplier, uint8(length))
	b = binary.BigEndian.AppendUint32(b, p.MyDiscriminator)
	b = binary.BigEndian.AppendUint32(b, p.YourDiscriminator)
	b = binary.BigEndian.AppendUint32(b, uint32(p.DesiredMinTX.Microseconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.RequiredMinRX.Microseconds()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.RequiredMinEchoRX.Microseconds()))
	if p.Authenticated {
		b = p.Authentication.append(b)
	}
	return b
}

func microseconds(b []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(b)) * time.Microsecond
}

func bit(set bool, b uint8) uint8 {
	if set {
		return b
	}
	return 0
}
