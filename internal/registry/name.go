package registry

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/landmark-health/landmark/internal/judge"
)

// MaxName is the length of the longest name a service may have, in bytes.
const MaxName = 90

// CheckName returns an error that says what to do if no service may have the
// name: [A-Za-z0-9][A-Za-z0-9._-]{0,89}, and neither one of the aspects'
// names nor ending in "-" and one of them, since those ask for an aspect.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty: give the service a name")
	case len(name) > MaxName:
		return fmt.Errorf("%.20q… is %d bytes long: %d at most", name, len(name), MaxName)
	case !alphanumeric(name[0]):
		return fmt.Errorf("%q must begin with a letter or a digit", name)
	}
	for _, c := range []byte(name) {
		if !alphanumeric(c) && c != '.' && c != '_' && c != '-' {
			return fmt.Errorf("%q has the character %q: letters, digits, '.', '_' and '-' only", name, c)
		}
	}
	for a := range judge.Aspect(judge.Aspects) {
		if name == a.String() || strings.HasSuffix(name, "-"+a.String()) {
			return fmt.Errorf("%q asks for the %s of a service, so no service can be named so", name, a)
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

var aspectNames = [judge.Aspects][]byte{
	[]byte(judge.Readiness.String()), []byte(judge.Liveness.String()), []byte(judge.Startup.String()),
}

// resolve splits a name that was asked for into the service, empty for all of
// them, and the aspect. It allocates nothing.
func resolve(name []byte) (service []byte, aspect judge.Aspect) {
	for a, aspectName := range aspectNames {
		base, ok := bytes.CutSuffix(name, aspectName)
		switch {
		case !ok:
		case len(base) == 0:
			return nil, judge.Aspect(a)
		case len(base) > 1 && base[len(base)-1] == '-':
			return base[:len(base)-1], judge.Aspect(a)
		}
	}
	return name, judge.Readiness
}
