package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// scalar is a type of scalar value.
type scalar[V any] struct {
	takes string                       // which values it takes, for errors and the documentation
	parse func(text string) (V, error) // the error says what to write instead
}

// durations takes durations from lowest to highest, inclusive.
func durations(lowest, highest time.Duration) scalar[time.Duration] {
	takes := "a duration from " + spell(lowest) + " to " + spell(highest)
	return scalar[time.Duration]{takes, func(text string) (time.Duration, error) {
		d, err := time.ParseDuration(text)
		_, withUnit := time.ParseDuration(text + "s")
		switch {
		case err != nil && withUnit == nil:
			return 0, fmt.Errorf("%.40q has no unit: write %.40[1]ss for seconds, or %.40[1]sms for milliseconds", text)
		case err != nil:
			return 0, fmt.Errorf("%.40q is not a duration: write a number and its unit, such as 500ms, 1.5s or 2h", text)
		case d < lowest || d > highest:
			return 0, fmt.Errorf("%.40q is out of range: write %s", text, takes)
		}
		return d, nil
	}}
}

// spell returns a duration in short form: 1h, not 1h0m0s.
func spell(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

// numbers takes finite decimal numbers. It rejects YAML's other notations (0x10, 0o7),
// which are hard to read.
func numbers() scalar[float64] {
	const takes = "a number"
	return scalar[float64]{takes, func(text string) (float64, error) {
		f, err := strconv.ParseFloat(text, 64)
		switch {
		case errors.Is(err, strconv.ErrRange) || math.IsInf(f, 0) || math.IsNaN(f):
			return 0, fmt.Errorf("%.40q is not finite: write a number such as 100, 0.9 or 1e6", text)
		case err != nil || strings.ContainsAny(text, "xX_"):
			return 0, fmt.Errorf("%.40q is not a number: write one such as 100, 0.9 or 1e6", text)
		}
		return f, nil
	}}
}

// impacts takes the names of impacts.
func impacts() scalar[judge.Impact] {
	const takes = "critical, readiness, degrading or informational"
	return scalar[judge.Impact]{takes, func(text string) (judge.Impact, error) {
		if impact, known := judge.ParseImpact(text); known {
			return impact, nil
		}
		return 0, fmt.Errorf("%.40q is not an impact: write %s", text, takes)
	}}
}

// quorums takes how many instances must be healthy.
func quorums() scalar[judge.Quorum] {
	takes := fmt.Sprintf("all, any, none, or at_least N with N from 1 to %d", registry.MaxInstances)
	return scalar[judge.Quorum]{takes, func(text string) (judge.Quorum, error) {
		switch words := strings.Fields(text); {
		case text == "all":
			return judge.All, nil
		case text == "any":
			return judge.Any, nil
		case text == "none":
			return judge.NoneNeeded, nil
		case len(words) == 2 && words[0] == "at_least":
			n, err := strconv.Atoi(words[1])
			if err == nil && n >= 1 && n <= registry.MaxInstances {
				return judge.Quorum{AtLeast: n}, nil
			}
		}
		return judge.Quorum{}, fmt.Errorf("%.40q is not a number of instances: write %s", text, takes)
	}}
}
