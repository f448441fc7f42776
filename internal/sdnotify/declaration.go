package sdnotify

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/rule"
)

// parseDeclaration parses NAME:KIND[:KEY=VALUE,…]. The rules are those for the
// declarations of agents (proto/landmark/report/v1).
func parseDeclaration(value string) (d judge.Declared, err error) {
	name, rest, _ := strings.Cut(value, ":")
	kind, options, _ := strings.Cut(rest, ":")
	if err := checkName(name); err != nil {
		return d, err
	}
	d.Name = name
	var known bool
	if d.Kind, known = rule.ParseKind(kind); !known || d.Kind == rule.KindLoop { // no command comes by notifications
		return d, fmt.Errorf("%.40q is not a kind of landmark: use alive, deadline, level or condition", kind)
	}
	rules, _ := judge.RulesOf(d.Kind)
	d.Impact = rules.DefaultImpact
	given := make(map[string]bool)
	for options != "" {
		var option string
		option, options, _ = strings.Cut(options, ",")
		key, text, _ := strings.Cut(option, "=")
		if given[key] {
			return d, fmt.Errorf("%s: has %s twice", name, key)
		}
		if err := setOption(&d, key, text); err != nil {
			return d, fmt.Errorf("%s: %w", name, err)
		}
		given[key] = true
	}
	if err := checkOptions(given, rules); err != nil {
		return d, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// checkName checks the name of a landmark. A colon would end it.
func checkName(name string) error {
	if strings.Contains(name, ":") {
		return fmt.Errorf("%.40q: the name of a landmark has no colon here", name)
	}
	if err := contract.CheckLandmarkName(name); err != nil {
		return fmt.Errorf("the name %w", err)
	}
	return nil
}

// setOption sets one option of a declaration.
func setOption(d *judge.Declared, key, value string) (err error) {
	switch key {
	case "within":
		d.Within, err = duration(value, contract.CheckWithin)
	case "start_within":
		d.StartWithin, err = duration(value, contract.CheckDuration)
	case "ttl":
		d.TTL, err = duration(value, contract.CheckDuration)
	case "degrade_at":
		d.Limits.DegradeAt, err = finite(value)
	case "fail_at":
		d.Limits.FailAt, err = finite(value)
	case "below":
		d.Limits.Below, err = boolean(value)
	case "impact":
		d.Impact, err = impact(value)
	default:
		return fmt.Errorf("%.40q is not an option: use within, start_within, ttl, degrade_at, fail_at, below or impact", key)
	}
	if err != nil {
		return fmt.Errorf("%s %w", key, err)
	}
	return nil
}

// checkOptions returns an error if an option is missing, or one is there that the kind
// of landmark does not have.
func checkOptions(given map[string]bool, rules judge.KindRules) error {
	limits := given["degrade_at"] && given["fail_at"]
	switch {
	case given["within"] != rules.HasWithin:
		if rules.HasWithin {
			return errors.New("within is missing")
		}
		return errors.New("a landmark of this kind has no within")
	case rules.HasLimits && !limits:
		return errors.New("degrade_at and fail_at are needed")
	case !rules.HasLimits && (given["degrade_at"] || given["fail_at"] || given["below"]):
		return errors.New("a landmark of this kind has no degrade_at, fail_at and below")
	case given["ttl"] && !rules.MayHaveTTL:
		return errors.New("a landmark of this kind has no ttl")
	}
	return nil
}

// duration parses a duration as Go writes it, such as 500ms or 1500000us.
func duration(value string, check func(time.Duration) error) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a duration: use a number and its unit, such as 500ms, 1.5s or 1500000us", value)
	}
	return d, check(d)
}

func finite(value string) (float64, error) {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%.40q is not a finite number", value)
	}
	return f, nil
}

func impact(value string) (judge.Impact, error) {
	if impact, known := rule.ParseImpact(value); known {
		return impact, nil
	}
	return 0, fmt.Errorf("%.40q is not an impact: use critical, readiness, degrading or informational", value)
}
