package bfd

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/tracetest"
)

// The discriminators of the tests.
const (
	ours   = 1
	theirs = 2
)

// TestTraces plays the scripts in testdata, in the format of tracetest. See
// trace.play for the commands.
func TestTraces(t *testing.T) {
	tracetest.Run(t, func(t *testing.T, script string) string {
		tr := &trace{t: t}
		return tracetest.Play(script, func(line string) string {
			words := strings.Fields(line)
			return tr.play(words[0], words[1:])
		})
	})
}

// trace is a session and its time. Its jitter is 1: each interval lasts its full
// length.
type trace struct {
	t       *testing.T
	session *Session
	now     time.Duration
}

func (tr *trace) play(verb string, arguments []string) string {
	switch verb {
	case "session": // [passive] [peer=D]: a new one, with an interval of 100 ms and multiplier 3
		c := Config{Discriminator: ours, Interval: 100 * ms, Multiplier: 3, Random: func() float64 { return 1 }}
		for _, argument := range arguments {
			if interval, ok := strings.CutPrefix(argument, "peer="); ok {
				c.PeerInterval = tr.duration(interval)
			} else {
				c.Passive = true
			}
		}
		tr.session = NewSession(c)
	case "verdict": // serving or not_serving
		tr.session.SetVerdict(map[string]Verdict{"serving": Serving, "not_serving": NotServing}[arguments[0]], tr.now)
		return tr.pass(0)
	case "peer": // STATE [your=N] [tx=D] [rx=D] [multiplier=N] [poll] [final] [demand]: a packet arrives
		return tr.receive(arguments)
	case "advance": // D: time passes, and each packet is printed when it is sent
		return tr.pass(tr.duration(arguments[0]))
	case "why": // prints why the session is not Up at present
		return fmt.Sprintf("%q\n", tr.session.Why())
	case "wait": // D: time passes without a call of Advance
		tr.now += tr.duration(arguments[0])
	default:
		tr.t.Fatalf("no command %q", verb)
	}
	return ""
}

func (tr *trace) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		tr.t.Fatal(err)
	}
	return d
}

func (tr *trace) receive(arguments []string) string {
	p := Packet{Multiplier: 3, MyDiscriminator: theirs, YourDiscriminator: ours, DesiredMinTX: time.Second, RequiredMinRX: 100 * ms}
	for state := AdminDown; state <= Up; state++ {
		if state.String() == arguments[0] {
			p.State = state
		}
	}
	if p.State == Up {
		p.DesiredMinTX = 100 * ms
	}
	for _, a := range arguments[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "your":
			n, _ := strconv.Atoi(value)
			p.YourDiscriminator = uint32(n)
		case "multiplier":
			n, _ := strconv.Atoi(value)
			p.Multiplier = uint8(n)
		case "tx":
			p.DesiredMinTX = tr.duration(value)
		case "rx":
			p.RequiredMinRX = tr.duration(value)
		case "poll":
			p.Poll = true
		case "final":
			p.Final = true
		case "demand":
			p.Demand = true
		default:
			tr.t.Fatalf("no argument %q", a)
		}
	}
	b := p.Append(nil)
	parsed, err := Parse(b)
	if err == nil {
		err = tr.session.Receive(b, &parsed, tr.now)
	}
	if err != nil {
		return err.Error() + "\n"
	}
	return tr.pass(0)
}

// pass lets time pass and prints each packet that is sent, with the time since the
// begin.
func (tr *trace) pass(d time.Duration) string {
	var out strings.Builder
	end := tr.now + d
	for begun := tr.now; ; {
		before, _ := tr.session.State()
		b := tr.session.Advance(nil, tr.now)
		if after, diagnostic := tr.session.State(); after != before {
			fmt.Fprintf(&out, "%v: the session is %v, %d\n", tr.now-begun, after, uint8(diagnostic))
		}
		if len(b) > 0 {
			p, err := Parse(b)
			if err != nil {
				tr.t.Fatal(err)
			}
			fmt.Fprintf(&out, "%v: %s\n", tr.now-begun, describe(p))
		}
		next, ok := tr.session.Next()
		if !ok || next > end {
			break
		}
		tr.now = max(tr.now, next)
	}
	tr.now = end
	return out.String()
}

func describe(p Packet) string {
	text := fmt.Sprintf("%v, %d, your %d, tx %v, rx %v", p.State, p.Diagnostic, p.YourDiscriminator, p.DesiredMinTX, p.RequiredMinRX)
	if p.Poll {
		text += ", poll"
	}
	if p.Final {
		text += ", final"
	}
	return text
}

// Intervals are 75 to 100 % of their length, or 75 to 90 % if the peer may miss no
// packet, also for those that are sent late.
func TestJitter(t *testing.T) {
	for _, test := range []struct {
		multiplier uint8
		random     float64
		lateness   time.Duration
		want       time.Duration
	}{
		{3, 0, 0, 750 * ms}, {3, 1, 0, time.Second}, {1, 0, 0, 750 * ms}, {1, 1, 0, 900 * ms},
		{3, 0, 10 * ms, 750 * ms}, {3, 1, 10 * ms, 900 * ms}, {1, 1, 10 * ms, 800 * ms},
	} {
		s := NewSession(Config{Discriminator: ours, Interval: 100 * ms, Multiplier: test.multiplier, Lateness: test.lateness, Random: func() float64 { return test.random }})
		s.SetVerdict(NotServing, 0)
		s.Advance(nil, 0)
		if next, ok := s.Next(); !ok || next != test.want {
			t.Errorf("%+v: the next packet is due after %v, %v", test, next, ok)
		}
	}
}

// A session with a key takes no packet without, and the other way round.
func TestSessionDemandsAuthentication(t *testing.T) {
	p := Packet{State: Down, Multiplier: 3, MyDiscriminator: theirs, DesiredMinTX: time.Second, RequiredMinRX: time.Second}
	receive := func(s *Session, b []byte, now time.Duration) error {
		parsed, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		return s.Receive(b, &parsed, now)
	}
	open := NewSession(Config{Discriminator: ours, Interval: time.Second, Multiplier: 3})
	if err := receive(open, landmarkKey.Append(nil, p, 1), 0); err != ErrAuthentication {
		t.Errorf("a session without a key: %v, want %v", err, ErrAuthentication)
	}
	closed := NewSession(Config{Discriminator: ours, Interval: time.Second, Multiplier: 3, Key: landmarkKey, Random: func() float64 { return 1 }, Epoch: 100 * time.Second})
	if err := receive(closed, p.Append(nil), 0); err != ErrAuthentication {
		t.Errorf("a session with a key: %v, want %v", err, ErrAuthentication)
	}
	for _, step := range []struct {
		sequence uint32
		now      time.Duration
		want     error
	}{
		{50, 0, nil}, {49, 0, ErrAuthentication}, {50, 6 * time.Second, nil}, {49, 12 * time.Second, ErrAuthentication}, {49, 12*time.Second + 1, nil},
	} {
		if err := receive(closed, landmarkKey.Append(nil, p, step.sequence), step.now); err != step.want {
			t.Errorf("sequence number %d at %v: %v, want %v", step.sequence, step.now, err, step.want)
		}
	}
	closed.SetVerdict(Serving, 2*time.Second)
	sent := closed.Advance(nil, 2*time.Second)
	if got, err := Parse(sent); err != nil || !landmarkKey.Verify(sent, &got) || got.Authentication.Sequence != 102 {
		t.Errorf("sent %x, %v; want an authenticated packet with the number 102", sent, err)
	}
}

// A packet that says Down has a newer number than one before it that did not, so that
// no other host can send that again. A few times in one unit of the numbers are too many,
// because the next program begins with the time.
func TestDownHasNewNumber(t *testing.T) {
	s := NewSession(Config{Discriminator: ours, Interval: time.Second, Multiplier: 3, Key: landmarkKey, Random: func() float64 { return 1 }, Epoch: 100 * time.Second})
	now := time.Duration(0)
	send := func() Packet {
		t.Helper()
		p, err := Parse(s.Advance(nil, now))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	receive := func(state State) {
		t.Helper()
		b := landmarkKey.Append(nil, Packet{State: state, Multiplier: 3, MyDiscriminator: theirs, YourDiscriminator: ours, DesiredMinTX: time.Second, RequiredMinRX: time.Second}, 1)
		p, err := Parse(b)
		if err == nil {
			err = s.Receive(b, &p, now)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	s.SetVerdict(Serving, now)
	receive(Up)
	last := send()
	for i, want := range []uint32{101, 102, 102, 102} {
		now += 20 * ms
		s.SetVerdict(NotServing, now)
		down := send()
		if last.State == Down || down.State != Down || down.Authentication.Sequence != want {
			t.Errorf("%d: Down has the number %d after %v with %d, want %d", i, down.Authentication.Sequence, last.State, last.Authentication.Sequence, want)
		}
		s.SetVerdict(Serving, now)
		now += 20 * ms
		receive(Down)
		last = send()
		if i%2 == 0 {
			now += 20 * ms
			receive(Init)
			last = send()
		}
		if last.Authentication.Sequence != want {
			t.Errorf("%d: %v has the number %d, want %d", i, last.State, last.Authentication.Sequence, want)
		}
	}
	now = 4 * time.Second
	s.SetVerdict(NotServing, now)
	if got := send().Authentication.Sequence; got != 103 {
		t.Errorf("later: Down has the number %d, want 103", got)
	}
}
