package registry

import (
	"bytes"

	"github.com/landmark-health/landmark/internal/judge"
)

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
