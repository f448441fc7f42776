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

// Aspects are the aspects of a service's health. A request for NAME-liveness
// asks for the liveness of the service NAME.
var Aspects = [...]string{"readiness", "liveness", "startup"}

// CheckServiceName returns an error that says what to do unless name is a valid
// service name: [A-Za-z0-9][A-Za-z0-9._-]{0,89}, neither equal to an aspect nor
// ending in "-" and an aspect.
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
	if last := name[strings.LastIndexByte(name, '-')+1:]; slices.Contains(Aspects[:], last) {
		return fmt.Errorf("%q means the %s of a service, so no service can have this name", name, last)
	}
	return nil
}

// CheckInstanceName returns an error that says what to do unless name is a valid
// instance name: 1 to 128 bytes of printable ASCII.
func CheckInstanceName(name string) error {
	return checkText(name, MaxInstanceName, "printable ASCII", func(r rune) bool { return ' ' <= r && r <= '~' })
}

// CheckLandmarkName returns an error that says what to do unless name is a valid
// landmark name: 1 to 128 bytes of UTF-8, printable according to
// unicode.IsPrint.
func CheckLandmarkName(name string) error {
	return checkText(name, MaxLandmarkName, "printable UTF-8", unicode.IsPrint)
}

// checkText describes the allowed characters as charset.
func checkText(text string, maxBytes int, charset string, allowed func(rune) bool) error {
	switch {
	case text == "":
		return fmt.Errorf("is empty: use 1 to %d bytes", maxBytes)
	case len(text) > maxBytes:
		return fmt.Errorf("%.20q… is %d bytes long: use %d at most", text, len(text), maxBytes)
	case !utf8.ValidString(text):
		return fmt.Errorf("%q is not UTF-8: use %s", text, charset)
	}
	for _, r := range text {
		if !allowed(r) {
			return fmt.Errorf("%q has the character %q: use %s", text, r, charset)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// CutText returns the longest prefix of text that has at most maxBytes bytes and
// does not split a character. Text that is not UTF-8 loses at most 4 bytes more
// than necessary.
func CutText(text string, maxBytes int) string {
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes
	for end > maxBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
