package main

import (
	"errors"
	"testing"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// Of all that can come, nothing but a serving answer may pass for serving.
func TestOnlyServingExitsWithZero(t *testing.T) {
	for name, code := range map[string]exitCode{"exec": execCode, "keepalived": keepalivedCode, "ldirectord": ldirectordCode} {
		for status := range 256 {
			for cause := range 256 {
				a := lmp.Answer{Status: lmp.Status(status), Cause: lmp.Cause(cause), Weight: 100}
				if got, want := code(a, nil) == 0, a.Status == lmp.StatusServing; got != want {
					t.Fatalf("%s: %v, %v exits with 0: %v", name, a.Status, a.Cause, got)
				}
			}
		}
		for _, err := range []error{errors.New("any"), probe.ErrRefused} {
			if code(lmp.Answer{Status: lmp.StatusServing}, err) == 0 {
				t.Errorf("%s: exits with 0 upon %v", name, err)
			}
		}
	}
}
