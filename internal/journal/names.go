package journal

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/landmark-health/landmark/internal/judge"
)

// These types are written by their names, so that the journal can be read without
// knowledge of the numbers.
type (
	Status   judge.Status
	Cause    judge.Cause
	Kind     judge.Kind
	Impact   judge.Impact
	State    judge.State
	Presence judge.Presence
)

var (
	statusNames   = namesOf[judge.Status]()
	causeNames    = namesOf[judge.Cause]()
	kindNames     = namesOf[judge.Kind]()
	impactNames   = namesOf[judge.Impact]()
	stateNames    = namesOf[judge.State]()
	presenceNames = []string{"connected", "vacant", "stopped", "awaited"}
)

// namesOf returns the judge's name of each number, "" where there is none.
func namesOf[T interface {
	~uint8
	fmt.Stringer
}]() []string {
	names := make([]string, math.MaxUint8)
	for n := range names {
		if name := T(n).String(); name != T(math.MaxUint8).String() {
			names[n] = name
		}
	}
	return names
}

func nameOf(names []string, n int) ([]byte, error) {
	if n < len(names) && names[n] != "" {
		return []byte(names[n]), nil
	}
	return nil, fmt.Errorf("%d has no name", n)
}

func numberOf[T ~uint8](n *T, names []string, name []byte) error {
	i := slices.Index(names, string(name))
	if i < 0 || len(name) == 0 {
		return fmt.Errorf("the name %.40q is not known", name)
	}
	*n = T(i)
	return nil
}

// String returns the name.
func (s Status) String() string { return judge.Status(s).String() }

// String returns the name.
func (c Cause) String() string { return judge.Cause(c).String() }

func (s Status) MarshalText() ([]byte, error)   { return nameOf(statusNames, int(s)) }
func (c Cause) MarshalText() ([]byte, error)    { return nameOf(causeNames, int(c)) }
func (k Kind) MarshalText() ([]byte, error)     { return nameOf(kindNames, int(k)) }
func (m Impact) MarshalText() ([]byte, error)   { return nameOf(impactNames, int(m)) }
func (s State) MarshalText() ([]byte, error)    { return nameOf(stateNames, int(s)) }
func (p Presence) MarshalText() ([]byte, error) { return nameOf(presenceNames, int(p)) }

func (s *Status) UnmarshalText(b []byte) error   { return numberOf(s, statusNames, b) }
func (c *Cause) UnmarshalText(b []byte) error    { return numberOf(c, causeNames, b) }
func (k *Kind) UnmarshalText(b []byte) error     { return numberOf(k, kindNames, b) }
func (m *Impact) UnmarshalText(b []byte) error   { return numberOf(m, impactNames, b) }
func (s *State) UnmarshalText(b []byte) error    { return numberOf(s, stateNames, b) }
func (p *Presence) UnmarshalText(b []byte) error { return numberOf(p, presenceNames, b) }

// Number is a number of a program, which may be none, or infinite. JSON has no such
// numbers, so they are strings there.
type Number float64

func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return json.Marshal(strconv.FormatFloat(f, 'g', -1, 64))
	}
	return json.Marshal(float64(n))
}

func (n *Number) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return json.Unmarshal(b, (*float64)(n))
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !math.IsNaN(f) && !math.IsInf(f, 0) {
		return fmt.Errorf("the string %.40q is no number: only NaN, +Inf and -Inf are written as strings", text)
	}
	*n = Number(f)
	return nil
}
