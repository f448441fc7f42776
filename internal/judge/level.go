package judge

import "math"

// Limits are the limits of a Level: see the schema's message of that name.
type Limits struct {
	DegradeAt float64
	FailAt    float64
	Below     bool // small numbers are the bad ones, where the limits are equal
}

// low reports whether small numbers are the bad ones.
func (m Limits) low() bool {
	return m.FailAt < m.DegradeAt || m.FailAt == m.DegradeAt && m.Below
}

// readLevel judges a Level: from DegradeAt on it lowers the program's share
// linearly, to nothing at FailAt, and from there on it fails.
func (l *Landmark) readLevel() reading {
	value, degrade, fail := l.Value, l.Limits.DegradeAt, l.Limits.FailAt
	if l.Limits.low() {
		value, degrade, fail = -value, -degrade, -fail
	}
	switch {
	case math.IsNaN(value) || value >= fail:
		return reading{Failing, 0, Never}
	case value > degrade:
		return reading{Degraded, (fail - value) / (fail - degrade), Never}
	default:
		return fine()
	}
}
