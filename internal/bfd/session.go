package bfd

import (
	"errors"
	"time"
)

const (
	// slowInterval is the shortest desired interval of a session that is not Up
	// (section 6.8.3).
	slowInterval = time.Second
	// minSpacing is the shortest time between two packets that the peer causes, so
	// that a flood of its packets causes none. A changed packet may be sent before
	// the interval is over (section 6.8.7).
	minSpacing = 10 * time.Millisecond
)

// Verdict is the verdict on the service of a session.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // there was none yet
	Serving
	NotServing
)

// Config configures a Session.
type Config struct {
	Discriminator uint32        // its own; not 0
	Interval      time.Duration // desired and required between two packets while Up
	Multiplier    uint8         // of Interval, after which the peer misses packets; not 0
	Passive       bool          // wait for the peer's first packet
	// PeerInterval is the time between two packets of the peer while an older Session was
	// Up; 0 = it is not known.
	PeerInterval time.Duration
	Key          Key // authenticates all packets, unless it is zero
	// Epoch is the time of day at the instant 0. Sequence numbers of the
	// authentication come from it, so that they go on after a restart.
	Epoch time.Duration
	// Lateness is how late the caller may call Advance: at most an eighth of
	// Interval. A packet is so much earlier.
	Lateness time.Duration
	// Random returns random numbers from 0 to 1, for the jitter.
	Random func() float64
}

// Session is one session (section 6.8), on top of which its service decides: the
// session is Up only while the verdict is Serving. Any other ends it at once, with
// the state Down and PathDown. Before the first verdict nothing is sent, and the session
// does not come up.
//
// The restart of a program is no event for the peer. A new Session waits for the
// peer before it sends anything but bad news. If the peer's first packet shows that
// a session with this discriminator is Up, the new one is Up as well. So the active
// role (section 6.1) begins with a silence, for Multiplier times Interval or
// PeerInterval, whichever is longer, as in the detection time (section 6.8.4). Only a
// passive peer waits for that long: an active one, as BIRD, FRR and keepalived are, sends
// a packet within a second unless it is Up, which ends it.
//
// A Session has no clock: instants are arguments, and durations since any instant 0.
// The caller calls Advance again at the instant Next, and after Receive and
// SetVerdict.
type Session struct {
	config     Config
	verdict    Verdict
	state      State
	diagnostic Diagnostic

	// A new session may take over an older one until it has sent or learned its
	// state. waitUntil is when it stops waiting, counted from the first Serving.
	isNew     bool
	waitUntil time.Duration

	peerAlive  bool // a packet arrived within the detection time
	receivedAt time.Duration
	remote     Packet // the last one; only its discriminator and intervals are used once peerAlive is false
	polling    bool   // a poll sequence goes on
	sequence   sequence

	mustReply  bool // to the peer's poll
	mustUpdate bool // the peer: it does not know the present state
	urgent     bool // mustUpdate, without minSpacing
	sent       bool // a packet, at sentAt and with the state sentState
	sentAt     time.Duration
	sentState  State
	jitter     float64 // the share of the interval after which the next packet is due
}

// NewSession returns a session that is Down.
func NewSession(c Config) *Session {
	// The intervals of a peer that has sent nothing (section 6.8.1).
	return &Session{config: c, state: Down, isNew: true, remote: Packet{State: Down, RequiredMinRX: time.Microsecond}}
}

// State returns the session's state, and the diagnostic of its last change.
func (s *Session) State() (State, Diagnostic) { return s.state, s.diagnostic }

// PeerAlive reports whether the peer has sent a packet within the detection time.
func (s *Session) PeerAlive() bool { return s.peerAlive }

// Why says why the session is not Up at present, for people; "" while it is Up. It is
// not always the diagnostic, which stays what it was at the last change: the service
// may serve again meanwhile, or the peer may have fallen silent.
func (s *Session) Why() string {
	switch {
	case s.state == Up:
		return ""
	case s.remote.Multiplier == 0: // no packet has one
		return "no valid packet has arrived yet"
	case !s.peerAlive:
		return DetectionExpired.String()
	case s.verdict != Serving:
		return PathDown.String()
	case s.remote.State == AdminDown:
		return "the peer holds it down (AdminDown)"
	case s.diagnostic == NeighborDown:
		return NeighborDown.String()
	}
	return "the peer has not answered"
}

// SetVerdict sets the verdict, which is that of the instant now.
func (s *Session) SetVerdict(v Verdict, now time.Duration) {
	if v == s.verdict {
		return
	}
	s.expire(now)
	first := s.verdict == Unknown
	s.verdict = v
	switch {
	case v == NotServing:
		s.isNew = false
		s.change(Down, PathDown)
		s.urgent = s.mustUpdate
	case s.isNew && first:
		s.waitUntil = now + max(slowInterval, time.Duration(s.config.Multiplier)*max(s.config.Interval, s.config.PeerInterval))
		s.resume()
	}
}

// ErrDiscriminator is the error of a packet for another session.
var ErrDiscriminator = errors.New("BFD control packet for another session")

// Receive takes the packet p, which Parse read from b at the instant now. The caller
// has checked that it comes from the session's peer. The error says why the packet
// was discarded (section 6.8.6): ErrDiscriminator or ErrAuthentication.
func (s *Session) Receive(b []byte, p *Packet, now time.Duration) error {
	if p.YourDiscriminator != 0 && p.YourDiscriminator != s.config.Discriminator {
		return ErrDiscriminator
	}
	if !s.authentic(b, p, now) {
		return ErrAuthentication
	}
	s.remote, s.peerAlive, s.receivedAt = *p, true, now
	if p.Final {
		s.polling = false
	}
	s.mustReply = s.mustReply || p.Poll
	s.follow(p.State)
	return nil
}

// authentic checks the authentication of a packet.
func (s *Session) authentic(b []byte, p *Packet, now time.Duration) bool {
	if s.config.Key.IsZero() {
		return !p.Authenticated
	}
	if !s.config.Key.Verify(b, p) {
		return false
	}
	if now-s.receivedAt > 2*s.detectionTime() {
		s.sequence.forgetReceived() // section 6.8.1, bfd.AuthSeqKnown
	}
	return s.sequence.receive(p)
}

// follow changes the state as the peer's state demands (section 6.8.6).
func (s *Session) follow(peer State) {
	if s.isNew {
		if peer == Up {
			s.resume()
			return
		}
		s.isNew = false
	}
	switch {
	case peer == AdminDown || peer == Down && s.state == Up:
		if s.state != Down {
			s.change(Down, NeighborDown)
		}
	case s.verdict != Serving:
		// The peer may have missed the packet that said Down, or ignored it: FRR that
		// is Up ignores one without its discriminator, which a new session does not
		// know. Section 6.8.7 allows a packet before the end of the interval only if
		// it differs from the last one. This is an exception, because the peer must
		// not believe for another second that the service serves. BIRD, FRR and
		// keepalived accept it: a peer gets no more of these packets than it sends,
		// and none once it has read one.
		s.mustUpdate = s.mustUpdate || s.verdict == NotServing && peer == Up
	case s.state == Down && peer == Down:
		s.change(Init, s.diagnostic)
	case s.state == Down && peer == Init, s.state == Init && peer != Down:
		s.change(Up, NoDiagnostic)
	}
}

// resume takes over the session that the peer shows to be Up, if the service serves.
func (s *Session) resume() {
	if s.verdict == Serving && s.peerAlive && s.remote.State == Up {
		s.isNew = false
		s.change(Up, NoDiagnostic)
	}
}

// change changes the state and its diagnostic.
func (s *Session) change(to State, d Diagnostic) {
	if s.state == to && s.diagnostic == d {
		return
	}
	// A session that comes up, or that is taken over, changes its interval, which
	// needs a poll sequence (section 6.8.3).
	s.polling = to == Up
	s.state, s.diagnostic, s.mustUpdate = to, d, true
}

// Advance lets time pass until now. It appends the packet that is due to b; if none
// is, it returns b as it is.
func (s *Session) Advance(b []byte, now time.Duration) []byte {
	if s.verdict == Unknown {
		return b
	}
	s.expire(now)
	if s.isNew && now >= s.waitUntil {
		s.isNew = false
	}
	if at, ok := s.due(); !ok || now < at {
		return b
	}
	return s.send(b, now)
}

// Next returns the instant at which to call Advance. ok is false if only a packet or
// another verdict can change anything.
func (s *Session) Next() (at time.Duration, ok bool) {
	if s.verdict == Unknown {
		return 0, false
	}
	at, ok = s.due()
	if s.peerAlive {
		at, ok = earlier(at, ok, s.expiry())
	}
	if s.isNew {
		at, ok = earlier(at, ok, s.waitUntil)
	}
	return at, ok
}

func earlier(at time.Duration, ok bool, other time.Duration) (time.Duration, bool) {
	if ok {
		return min(at, other), true
	}
	return other, true
}

// expire notices that the peer has been silent for the detection time (sections
// 6.8.1 and 6.8.4).
func (s *Session) expire(now time.Duration) {
	if !s.peerAlive || now < s.expiry() {
		return
	}
	s.peerAlive = false
	s.mustReply = false
	s.remote.MyDiscriminator = 0
	s.remote.State = Down
	if s.state != Down {
		s.change(Down, DetectionExpired)
	}
}

// expiry is when a peer counts as silent.
func (s *Session) expiry() time.Duration { return s.receivedAt + s.detectionTime() }

// detectionTime is the detection time in asynchronous mode (section 6.8.4).
func (s *Session) detectionTime() time.Duration {
	return time.Duration(s.remote.Multiplier) * max(s.config.Interval, s.remote.DesiredMinTX)
}

// due returns when the next packet is due (section 6.8.7), unless none is.
func (s *Session) due() (at time.Duration, ok bool) {
	switch {
	case s.isNew,
		s.config.Passive && s.remote.MyDiscriminator == 0:
		return 0, false
	case !s.sent || s.urgent:
		return 0, true
	case s.mustUpdate || s.mustReply:
		return s.sentAt + minSpacing, true
	case s.remote.RequiredMinRX == 0,
		s.remote.Demand && s.state == Up && s.remote.State == Up && !s.polling:
		return 0, false
	}
	interval := max(s.desiredMinTX(), s.remote.RequiredMinRX)
	return s.sentAt + time.Duration(s.jitter*float64(interval)), true
}

// desiredMinTX is the interval that the session desires (section 6.8.3).
func (s *Session) desiredMinTX() time.Duration {
	if s.state == Up {
		return s.config.Interval
	}
	return max(slowInterval, s.config.Interval)
}

// send appends a packet.
func (s *Session) send(b []byte, now time.Duration) []byte {
	p := Packet{
		Diagnostic:        s.diagnostic,
		State:             s.state,
		Poll:              s.polling && !s.mustReply,
		Final:             s.mustReply,
		Multiplier:        s.config.Multiplier,
		MyDiscriminator:   s.config.Discriminator,
		YourDiscriminator: s.remote.MyDiscriminator,
		DesiredMinTX:      s.desiredMinTX(),
		RequiredMinRX:     s.config.Interval,
	}
	takesBack := s.state == Down && s.sentState != Down
	s.sent, s.sentAt, s.sentState, s.jitter = true, now, s.state, s.drawJitter()
	s.mustReply, s.mustUpdate, s.urgent = false, false, false
	if s.config.Key.IsZero() {
		return p.Append(b)
	}
	// If the next program's numbers are too small at first, they are large enough one
	// unit before the peer would miss it.
	unit := max(time.Second, s.config.Interval)
	mostAhead := max(1, time.Duration(s.config.Multiplier)*s.config.Interval/unit-1)
	return s.config.Key.Append(b, p, s.sequence.send(uint32((s.config.Epoch+now)/unit), takesBack, int32(mostAhead)))
}

// drawJitter returns the share of the interval after which the next packet is due: 75
// to 100 %, and at most 90 % if the peer misses a single packet (section 6.8.7), also if
// it is sent late.
func (s *Session) drawJitter() float64 {
	longest := 1.0
	if s.config.Multiplier == 1 {
		longest = 0.9
	}
	longest -= float64(s.config.Lateness) / float64(s.config.Interval)
	return 0.75 + (longest-0.75)*s.config.Random()
}
