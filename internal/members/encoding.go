package members

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/registry"
)

// version is the version of the format. landmarkd ignores files of other versions.
const version = 1

// document is the JSON document in the file.
type document struct {
	// Incomplete means that processes may be missing: landmarkd had started without
	// a file and did not know them yet, or a newer file could not be written. It is
	// the first field, for markIncomplete.
	Incomplete bool   `json:"incomplete"`
	Version    int    `json:"version"`
	Boot       string `json:"boot"`
	// At is the time of writing, in nanoseconds of CLOCK_MONOTONIC. That clock does
	// not jump, and is the same for all processes of a boot.
	At       int64     `json:"at"`
	Services []service `json:"services"`
}

// The beginning of the file. Both have the same length, so that markIncomplete can
// replace the first by the second.
const (
	completeHead   = `{"incomplete":false,`
	incompleteHead = `{"incomplete":true ,`
)

type service struct {
	Name      string     `json:"name"`
	UID       *uint32    `json:"uid,omitempty"` // nil if the service was never reported
	Drain     *drain     `json:"drain,omitempty"`
	Instances []instance `json:"instances,omitempty"`
}

type drain struct {
	By        uint32 `json:"by"`
	UntilGone bool   `json:"until_gone,omitempty"`
}

type instance struct {
	Name      string        `json:"name"`
	Left      string        `json:"left,omitempty"` // how it left: a value of states; empty if it is connected
	Away      time.Duration `json:"away_ns,omitempty"`
	Newcomer  bool          `json:"newcomer,omitempty"`
	Leaving   bool          `json:"leaving,omitempty"`
	Seq       uint64        `json:"spare,omitempty"`
	ReliefSeq uint64        `json:"relief,omitempty"`
}

// states are the values of instance.Left, by registry.MemberState.
var states = [...]string{registry.MemberPresent: "", registry.MemberLost: "lost", registry.MemberStopped: "stopped"}

// now returns the time of CLOCK_MONOTONIC.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(fmt.Sprintf("members: clock_gettime: %v", err)) // cannot fail for this clock
	}
	return time.Duration(t.Nano())
}

// encode returns the contents of a file written at the given time.
func encode(all []registry.Membership, complete bool, boot string, at time.Duration) ([]byte, error) {
	d := document{Version: version, Boot: boot, At: int64(at), Incomplete: !complete, Services: make([]service, 0, len(all))}
	for _, m := range all {
		s := service{Name: m.Service}
		if m.Owned {
			s.UID = &m.UID
		}
		if m.Drain != nil {
			s.Drain = &drain{By: m.Drain.By, UntilGone: m.Drain.UntilGone}
		}
		for _, i := range m.Members {
			s.Instances = append(s.Instances, instance{i.Instance, states[i.State], i.Away, i.Newcomer, i.Leaving, i.Seq, i.ReliefSeq})
		}
		d.Services = append(d.Services, s)
	}
	b, err := json.Marshal(d)
	return append(b, '\n'), err
}

// decode parses the contents of a file, read at the given time in the given boot. It
// also returns whether the file is complete.
func decode(b []byte, boot string, at time.Duration) (all []registry.Membership, complete bool, err error) {
	var d document
	reader := json.NewDecoder(bytes.NewReader(b))
	reader.DisallowUnknownFields()
	if err := reader.Decode(&d); err != nil {
		return nil, false, fmt.Errorf("it is damaged: %w", err)
	}
	if _, err := reader.Token(); err != io.EOF {
		return nil, false, errors.New("it is damaged: it has more than one document")
	}
	switch {
	case d.Version != version:
		return nil, false, fmt.Errorf("it has version %d, not %d", d.Version, version)
	case d.Boot != boot:
		return nil, false, errors.New("it is from another boot of the machine")
	case len(d.Services) > registry.MaxServices:
		return nil, false, fmt.Errorf("it has %d services: at most %d are allowed", len(d.Services), registry.MaxServices)
	}
	since := max(0, at-time.Duration(d.At))
	known := make(map[string]bool, len(d.Services))
	all = make([]registry.Membership, 0, len(d.Services))
	for _, s := range d.Services {
		if err := s.check(known); err != nil {
			return nil, false, fmt.Errorf("it is damaged: %w", err)
		}
		known[s.Name] = true
		m := registry.Membership{Service: s.Name, Owned: s.UID != nil}
		if m.Owned {
			m.UID = *s.UID
		}
		if s.Drain != nil {
			m.Drain = &registry.OrderedDrain{By: s.Drain.By, UntilGone: s.Drain.UntilGone}
		}
		for _, i := range s.Instances {
			member := registry.Member{Instance: i.Name, State: i.state(), Newcomer: i.Newcomer, Leaving: i.Leaving, Seq: i.Seq, ReliefSeq: i.ReliefSeq}
			if member.State != registry.MemberPresent {
				member.Away = i.Away + since
			}
			m.Members = append(m.Members, member)
		}
		all = append(all, m)
	}
	return all, !d.Incomplete, nil
}

// check returns an error if landmarkd cannot have written the service.
func (s *service) check(known map[string]bool) error {
	switch {
	case contract.CheckServiceName(s.Name) != nil:
		return fmt.Errorf("%.128q is not a service name", s.Name)
	case known[s.Name]:
		return fmt.Errorf("%s is listed twice", s.Name)
	case len(s.Instances) > registry.MaxInstances:
		return fmt.Errorf("%s has %d instances: at most %d are allowed", s.Name, len(s.Instances), registry.MaxInstances)
	case len(s.Instances) > 0 && s.UID == nil:
		return fmt.Errorf("%s has instances and no owner", s.Name)
	}
	for _, i := range s.Instances {
		switch {
		case contract.CheckInstanceName(i.Name) != nil:
			return fmt.Errorf("%s: %.128q is not an instance name", s.Name, i.Name)
		case i.Left != "" && i.state() == registry.MemberPresent:
			return fmt.Errorf("%s: %.32q is not a way to leave", s.Name, i.Left)
		case i.Away < 0 || i.Away > time.Duration(1<<62):
			return fmt.Errorf("%s: an instance has been away for %d ns", s.Name, i.Away)
		case max(i.Seq, i.ReliefSeq) > 1<<62:
			return fmt.Errorf("%s: spare %d or relief %d is too large", s.Name, i.Seq, i.ReliefSeq)
		}
	}
	return nil
}

// state returns how the instance left, MemberPresent if Left is not in states.
func (i *instance) state() registry.MemberState {
	for state, left := range states {
		if left == i.Left {
			return registry.MemberState(state)
		}
	}
	return registry.MemberPresent
}
