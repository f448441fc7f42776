package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/internal/keepalived"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/lmp/probe"
)

// maxName is the length of the longest name, in bytes. Linux allows 255, and the name of
// the temporary file is longer.
const maxName = 240

// target is one track file and the service that it shows.
type target struct {
	name    string // of the file
	address string // HOST:PORT of the sidecar
	service string // "" is all services together
	weight  int    // that keepalived is configured with, 0 = not weighted
}

// parseTarget parses NAME=HOST:PORT/SERVICE[,weight=N].
func parseTarget(s string) (target, error) {
	name, rest, found := strings.Cut(s, "=")
	address, service, slash := strings.Cut(rest, "/")
	if !found || !slash {
		return target{}, errors.New("it is not NAME=HOST:PORT/SERVICE[,weight=N], such as rs1=10.0.0.7:19533/epg; end it with the / for all services together")
	}
	t := target{name: name, address: address}
	var weight string
	t.service, weight, found = strings.Cut(service, ",")
	if err := validateName(name); err != nil {
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
	if !is || err != nil || n < 1 || n > keepalived.MaxWeight {
		return target{}, fmt.Errorf("%q after the comma is not weight=N, with N from 1 to %d, the weight that keepalived has for this server", weight, keepalived.MaxWeight)
	}
	t.weight = n
	return t, nil
}

// validateName returns an error if a track file must not have the name. With a leading dot
// it could be that of a temporary file.
func validateName(name string) error {
	switch {
	case name == "":
		return errors.New("the NAME before = is empty: give the name of the track file")
	case len(name) > maxName:
		return fmt.Errorf("the NAME %.20q… is %d bytes long: %d at most", name, len(name), maxName)
	case !alphanumeric(name[0]):
		return fmt.Errorf("the NAME %q must begin with a letter or a digit", name)
	}
	for _, c := range []byte(name) {
		if !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("the NAME %q has the character %q: letters, digits, '.', '_' and '-' only, because it is the name of the track file", name, c)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
