package main

import (
	"errors"
	"fmt"

	"github.com/landmark-health/landmark/lmp"
)

// mode is for whom the program runs: what it asks, and how it tells the answer, or
// why there is none. 0 means serving to all of them, and only a serving answer may
// give it.
//
// DESCRIBE, which tells the reason, is asked where people read the line.
type mode struct {
	kind lmp.Kind
	code func(lmp.Answer, error) int
	line func(service string, a lmp.Answer, err error) string
}

// modeOf returns a mode of the flag -as. The weight is what keepalived is configured
// with, 0 where that was not said.
func modeOf(name string, weight int) (mode, error) {
	if weight != 0 && name != "keepalived" {
		return mode{}, errors.New("-weight is keepalived's: give it with -as keepalived")
	}
	switch name {
	case "exec":
		return mode{lmp.KindDescribe, execCode, line}, nil
	case "keepalived":
		return mode{lmp.KindCheck, keepalivedCode(weight), line}, nil
	case "nagios":
		return mode{lmp.KindDescribe, nagiosCode, nagiosLine}, nil
	}
	return mode{}, fmt.Errorf("-as %q is no mode; there are exec, keepalived and nagios", name)
}
