package sdnotify

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
)

const (
	// MaxMessage is the size of the largest notification, in bytes, as for systemd.
	MaxMessage = 4096
	// MaxStatus is how much of a status is kept, in bytes.
	MaxStatus = 255
)

// Message is a parsed notification.
type Message struct {
	Ready     bool // READY=1
	Reloading bool // RELOADING=1
	Stopping  bool // STOPPING=1
	Watchdog  bool // WATCHDOG=1
	Trigger   bool // WATCHDOG=trigger
	Barrier   bool // BARRIER=1

	Status          *string        // STATUS, "" = none from now on
	Errno           *int           // ERRNO
	MainPID         int            // MAINPID, in the sender's PID namespace; 0 = not given
	WatchdogTimeout *time.Duration // WATCHDOG_USEC, 0 = no watchdog
	ExtendTimeout   time.Duration  // EXTEND_TIMEOUT_USEC, 0 = not given
	Monotonic       time.Duration  // MONOTONIC_USEC, of CLOCK_MONOTONIC; 0 = not given

	Service      string           // X_LANDMARK_SERVICE, "" = not given
	Instance     string           // X_LANDMARK_INSTANCE, "" = not given
	Drain        *bool            // X_LANDMARK_DRAIN
	Declarations []judge.Declared // X_LANDMARK_DECLARE, in their order
	Facts        []Fact           // of landmarks, in their order

	// Problem is the first mistake in a key that is known or begins with X_LANDMARK_, nil
	// if there is none. The line of the mistake is ignored.
	Problem error
}

// Fact is what a notification says of one landmark.
type Fact struct {
	Kind   FactKind
	Name   string        // of the landmark
	Value  float64       // Level
	Met    bool          // Condition
	Reason string        // Condition, at most contract.MaxReason bytes
	Open   uint64        // Open: how much work is open
	Aged   bool          // Open: Age is given
	Age    time.Duration // Open: since the oldest of it began
}

// FactKind is the key of a fact.
type FactKind uint8

// The kinds of facts.
const (
	Reach     FactKind = iota // X_LANDMARK_REACH=NAME
	Level                     // X_LANDMARK_LEVEL=NAME:VALUE
	Condition                 // X_LANDMARK_CONDITION=NAME:0|1[:REASON]
	Open                      // X_LANDMARK_OPEN=NAME:COUNT[:AGE_US]
)

var errNUL = errors.New("has a NUL byte")

// Parse parses a notification. The error says why nothing in it can be used.
func Parse(data []byte) (m Message, err error) {
	data = bytes.TrimSuffix(data, []byte{0}) // a C program may send the end of its string
	if bytes.IndexByte(data, 0) >= 0 {
		return Message{}, errNUL
	}
	for len(data) > 0 {
		var line []byte
		line, data, _ = bytes.Cut(data, []byte("\n"))
		if key, value, ok := bytes.Cut(line, []byte("=")); ok {
			m.set(string(key), string(value))
		}
	}
	return m, nil
}

// set takes one assignment. Of a key that may be given once, the first counts.
func (m *Message) set(key, value string) {
	var err error
	switch key {
	case "READY":
		err = setFlag(&m.Ready, value)
	case "RELOADING":
		err = setFlag(&m.Reloading, value)
	case "STOPPING":
		err = setFlag(&m.Stopping, value)
	case "BARRIER":
		err = setFlag(&m.Barrier, value)
	case "WATCHDOG":
		if value == "trigger" {
			m.Trigger = true
		} else {
			err = setFlag(&m.Watchdog, value)
		}
	case "STATUS":
		if m.Status == nil {
			m.Status = new(text(value, MaxStatus))
		}
	case "ERRNO":
		var n uint64
		if n, err = number(value, math.MaxInt32); err == nil && m.Errno == nil {
			m.Errno = new(int(n))
		}
	case "MAINPID":
		var n uint64
		if n, err = number(value, math.MaxInt32); err == nil && m.MainPID == 0 {
			m.MainPID = int(n)
		}
	case "WATCHDOG_USEC":
		var d time.Duration
		if d, err = microseconds(value); err == nil && m.WatchdogTimeout == nil {
			m.WatchdogTimeout = &d
		}
	case "EXTEND_TIMEOUT_USEC":
		var d time.Duration
		if d, err = microseconds(value); err == nil && m.ExtendTimeout == 0 {
			m.ExtendTimeout = d
		}
	case "MONOTONIC_USEC":
		var d time.Duration
		if d, err = microseconds(value); err == nil && m.Monotonic == 0 {
			m.Monotonic = d
		}
	default:
		private, ours := strings.CutPrefix(key, "X_LANDMARK_")
		if !ours {
			return
		}
		err = m.setPrivate(private, value)
	}
	if err != nil && m.Problem == nil {
		m.Problem = fmt.Errorf("%s: %w", key, err)
	}
}

// setFlag takes an assignment to a key that has the value 1 or is not there.
func setFlag(flag *bool, value string) error {
	if value != "1" {
		return fmt.Errorf("%.40q has no effect: write 1", value)
	}
	*flag = true
	return nil
}

// setPrivate takes an assignment to X_LANDMARK_ and the key. One that is not known may be
// misspelt, or that of a later version.
func (m *Message) setPrivate(key, value string) (err error) {
	switch key {
	case "SERVICE":
		if err = contract.CheckServiceName(value); err == nil && m.Service == "" {
			m.Service = value
		}
	case "INSTANCE":
		if err = contract.CheckInstanceName(value); err == nil && m.Instance == "" {
			m.Instance = value
		}
	case "DRAIN":
		var drain bool
		if drain, err = boolean(value); err == nil && m.Drain == nil {
			m.Drain = &drain
		}
	case "DECLARE":
		var d judge.Declared
		if d, err = parseDeclaration(value); err == nil {
			m.Declarations = append(m.Declarations, d)
		}
	case "REACH":
		err = m.addFact("NAME", Fact{Kind: Reach, Name: value}, nil)
	case "LEVEL":
		f, wrong := parseLevel(value)
		err = m.addFact("NAME:NUMBER", f, wrong)
	case "CONDITION":
		f, wrong := parseCondition(value)
		err = m.addFact("NAME:1 or NAME:0:REASON", f, wrong)
	case "OPEN":
		f, wrong := parseOpen(value)
		err = m.addFact("NAME:COUNT or NAME:COUNT:AGE", f, wrong)
	default:
		err = errors.New("is not a key that landmarkd knows: see its spelling")
	}
	return err
}

// addFact adds a fact, unless it has a mistake. The value of the key has the given form.
func (m *Message) addFact(form string, f Fact, err error) error {
	if err == nil {
		err = checkName(f.Name)
	}
	if err != nil {
		return fmt.Errorf("%w; write %s", err, form)
	}
	m.Facts = append(m.Facts, f)
	return nil
}

// parseLevel parses NAME:VALUE.
func parseLevel(value string) (f Fact, err error) {
	name, number, _ := strings.Cut(value, ":")
	f = Fact{Kind: Level, Name: name}
	f.Value, err = finite(number)
	return f, err
}

// parseCondition parses NAME:0|1[:REASON].
func parseCondition(value string) (f Fact, err error) {
	name, rest, _ := strings.Cut(value, ":")
	met, reason, _ := strings.Cut(rest, ":")
	f = Fact{Kind: Condition, Name: name, Reason: text(reason, contract.MaxReason)}
	f.Met, err = boolean(met)
	return f, err
}

// parseOpen parses NAME:COUNT[:AGE_US].
func parseOpen(value string) (f Fact, err error) {
	name, rest, _ := strings.Cut(value, ":")
	count, age, aged := strings.Cut(rest, ":")
	f = Fact{Kind: Open, Name: name}
	if f.Open, err = number(count, math.MaxInt64); err == nil && aged {
		f.Aged = true
		f.Age, err = microseconds(age)
	}
	return f, err
}

// text returns the longest part of a text for people that has at most maxBytes bytes.
func text(value string, maxBytes int) string {
	return contract.CutText(strings.ToValidUTF8(value, "\ufffd"), maxBytes)
}

func number(value string, most uint64) (uint64, error) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n > most {
		return 0, fmt.Errorf("%.40q is not a number from 0 to %d", value, most)
	}
	return n, nil
}

func boolean(value string) (bool, error) {
	if value != "0" && value != "1" {
		return false, fmt.Errorf("%.40q is neither 0 nor 1", value)
	}
	return value == "1", nil
}

// maxMicroseconds is ten years. A longer time is a mistake, or means "forever".
const maxMicroseconds = 10 * 365 * 24 * uint64(time.Hour/time.Microsecond)

// microseconds parses a duration. One of more than ten years is ten years.
func microseconds(value string) (time.Duration, error) {
	n, err := number(value, math.MaxUint64)
	return time.Duration(min(n, maxMicroseconds)) * time.Microsecond, err
}
