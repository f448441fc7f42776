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

// version is the form of the file. A landmarkd ignores files of other versions.
const version = 1

// document is the file.
type document struct {
	// Incomplete is that processes may be missing: landmarkd did not know of them
	// yet, for it had started without a file, or a newer file could not be written.
	// It is the first, for doubt.
	Incomplete bool   `json:"incomplete"`
	Version    int    `json:"version"`
	Boot       string `json:"boot"`
	// At is when it was written, in nanoseconds of CLOCK_MONOTONIC: times of day
	// may jump, and this one is the same for all processes of a boot.
	At       int64     `json:"at"`
	Services []service `json:"services"`
}

// How the file begins. Both are of one length, so that doubt can replace the one
// by the other.
const (
	completeHead   = `{"incomplete":false,`
	incompleteHead = `{"incomplete":true ,`
)

type service struct {
	Name      string     `json:"name"`
	UID       *uint32    `json:"uid,omitempty"` // none if it was never reported
	Drain     *drain     `json:"drain,omitempty"`
	Instances []instance `json:"instances,omitempty"`
}

type drain struct {
	By        uint32 `json:"by"`
	UntilGone bool   `json:"until_gone,omitempty"`
}

type instance struct {
	Name     string        `json:"name"`
	Left     string        `json:"left,omitempty"` // how, empty if it is there
	Away     time.Duration `json:"away_ns,omitempty"`
	Newcomer bool          `json:"newcomer,omitempty"`
	Leaving  bool          `json:"leaving,omitempty"`
	Spare    uint64        `json:"spare,omitempty"`
	Relief   uint64        `json:"relief,omitempty"`
}

// states are how an instance left, by registry.MemberState.
var states = [...]string{registry.MemberPresent: "", registry.MemberLost: "lost", registry.MemberStopped: "stopped"}

// now returns the time by CLOCK_MONOTONIC.
func now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(fmt.Sprintf("members: clock_gettime: %v", err)) // it cannot fail for this clock
	}
	return time.Duration(t.Nano())
}

// encode returns the file's bytes, written at the given time.
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

// decode returns what the bytes say, and whether that is complete, read at the given time in the given boot.
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
		return nil, false, fmt.Errorf("it is of version %d, not %d", d.Version, version)
	case d.Boot != boot:
		return nil, false, errors.New("it is of another boot of the machine")
	case len(d.Services) > registry.MaxServices:
		return nil, false, fmt.Errorf("it has %d services: %d at most", len(d.Services), registry.MaxServices)
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
			member := registry.Member{Instance: i.Name, State: i.state(), Newcomer: i.Newcomer, Leaving: i.Leaving, Seq: i.Spare, ReliefSeq: i.Relief}
			if member.State != registry.MemberPresent {
				member.Away = i.Away + since
			}
			m.Members = append(m.Members, member)
		}
		all = append(all, m)
	}
	return all, !d.Incomplete, nil
}

// check returns an error if the service can be none that was written.
func (s *service) check(known map[string]bool) error {
	switch {
	case contract.CheckServiceName(s.Name) != nil:
		return fmt.Errorf("%.128q is no service's name", s.Name)
	case known[s.Name]:
		return fmt.Errorf("%s is there twice", s.Name)
	case len(s.Instances) > registry.MaxInstances:
		return fmt.Errorf("%s has %d instances: %d at most", s.Name, len(s.Instances), registry.MaxInstances)
	case len(s.Instances) > 0 && s.UID == nil:
		return fmt.Errorf("%s has instances and no owner", s.Name)
	}
	for _, i := range s.Instances {
		switch {
		case contract.CheckInstanceName(i.Name) != nil:
			return fmt.Errorf("%s: %.128q is no instance's name", s.Name, i.Name)
		case i.Left != "" && i.state() == registry.MemberPresent:
			return fmt.Errorf("%s: an instance that left %.32q", s.Name, i.Left)
		case i.Away < 0 || i.Away > time.Duration(1<<62):
			return fmt.Errorf("%s: an instance is away for %d ns", s.Name, i.Away)
		case max(i.Spare, i.Relief) > 1<<62:
			return fmt.Errorf("%s: an instance is the %dth to join, or relieved by the %dth", s.Name, i.Spare, i.Relief)
		}
	}
	return nil
}

// state is how the instance left, MemberPresent if that is no word for it.
func (i *instance) state() registry.MemberState {
	for state, word := range states {
		if word == i.Left {
			return registry.MemberState(state)
		}
	}
	return registry.MemberPresent
}
