package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

const (
	// maxName is the length of the longest name of a file, in bytes; the name of
	// its temporary file is a little longer, and 255 is what Linux takes.
	maxName = 240
	// maxWeight is the greatest weight that keepalived takes.
	maxWeight = 253
)

// target is one track file, and whom it is about.
type target struct {
	name    string // of the file
	address string // HOST:PORT of the sidecar
	service string // "" is the whole of all services
	weight  int    // as keepalived is configured, 0 = not weighted
}

// parseTarget reads NAME=HOST:PORT/SERVICE[,weight=N].
func parseTarget(s string) (target, error) {
	name, rest, found := strings.Cut(s, "=")
	address, service, slash := strings.Cut(rest, "/")
	if !found || !slash {
		return target{}, errors.New("it is not NAME=HOST:PORT/SERVICE[,weight=N], as rs1=10.0.0.7:19533/epg; end it with the / for the whole of all services")
	}
	t := target{name: name, address: address}
	var weight string
	t.service, weight, found = strings.Cut(service, ",")
	if err := checkName(name); err != nil {
		return target{}, err
	}
	if err := probe.ValidateAddress(address); err != nil {
		return target{}, err
	}
	if n := len(t.service); n > lmp.MaxService {
		return target{}, fmt.Errorf("the service has %d bytes and may have %d", n, lmp.MaxService)
	}
	if !found {
		return t, nil
	}
	number, is := strings.CutPrefix(weight, "weight=")
	n, err := strconv.Atoi(number)
	if !is || err != nil || n < 1 || n > maxWeight {
		return target{}, fmt.Errorf("%q after the comma is not weight=N, with N from 1 to %d, the weight that keepalived has for this server", weight, maxWeight)
	}
	t.weight = n
	return t, nil
}

// checkName returns an error if no file is to be named so. A name that began with
// a dot could be that of another's temporary file.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the NAME before = is empty: it is that of the track file")
	case len(name) > maxName:
		return fmt.Errorf("the NAME %.20q… is %d bytes long: %d at most", name, len(name), maxName)
	case !alphanumeric(name[0]):
		return fmt.Errorf("the NAME %q must begin with a letter or a digit", name)
	}
	for _, c := range []byte(name) {
		if !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("the NAME %q has the character %q: letters, digits, '.', '_' and '-' only, for it is that of the track file", name, c)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
