package contract

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest names, in bytes.
const (
	MaxServiceName  = 90
	MaxInstanceName = 128
	MaxLandmarkName = 128
)

// Aspects are the aspects of a service's health. A request for NAME-liveness is
// one for the liveness of the service NAME.
var Aspects = [...]string{"readiness", "liveness", "startup"}

// CheckServiceName returns an error that says what to do unless a service may
// have the name: [A-Za-z0-9][A-Za-z0-9._-]{0,89}, neither equal to an aspect nor
// ending in "-" and one.
func CheckServiceName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty: give the service a name")
	case len(name) > MaxServiceName:
		return fmt.Errorf("%.20q… is %d bytes long: use %d at most", name, len(name), MaxServiceName)
	case !alphanumeric(name[0]):
		return fmt.Errorf("%q must begin with a letter or a digit", name)
	}
	for _, c := range []byte(name) {
		if !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%q has the character %q: use letters, digits, '.', '_' and '-' only", name, c)
		}
	}
	if slices.Contains(Aspects[:], name[strings.LastIndexByte(name, '-')+1:]) {
		return fmt.Errorf("%q means the %s of a service, so no service can have this name", name, name[strings.LastIndexByte(name, '-')+1:])
	}
	return nil
}

// CheckInstanceName returns an error that says what to do unless an instance may
// have the name: 1 to 128 bytes of printable ASCII.
func CheckInstanceName(name string) error {
	return checkText(name, MaxInstanceName, "printable ASCII", func(r rune) bool { return ' ' <= r && r <= '~' })
}

// CheckLandmarkName returns an error that says what to do unless a landmark may
// have the name: 1 to 128 bytes of printable UTF-8, as unicode.IsPrint has it.
func CheckLandmarkName(name string) error {
	return checkText(name, MaxLandmarkName, "printable UTF-8", unicode.IsPrint)
}

func checkText(text string, most int, what string, allowed func(rune) bool) error {
	switch {
	case text == "":
		return fmt.Errorf("is empty: use 1 to %d bytes", most)
	case len(text) > most:
		return fmt.Errorf("%.20q… is %d bytes long: use %d at most", text, len(text), most)
	case !utf8.ValidString(text):
		return fmt.Errorf("%q is not UTF-8: use %s", text, what)
	}
	for _, r := range text {
		if !allowed(r) {
			return fmt.Errorf("%q has the character %q: use %s", text, r, what)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
