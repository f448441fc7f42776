package line

import (
	"bytes"

	"github.com/landmark-health/landmark/internal/registry"
)

// usage answers what is no request. FAIL is a word that HAProxy takes for down:
// of one that it does not know it would keep what it was told before.
const usage = "FAIL # not understood; write: check NAME, or for HAProxy's agent-check: agent NAME\n"

// parse reads a line of two words, between and around which there may be
// blanks, a carriage return among them. To ask for no name would be easy to do
// by mistake; readiness is the name of all services together.
func parse(line []byte) (translate func(registry.Answer) string, name []byte, ok bool) {
	words := bytes.Fields(line)
	if len(words) != 2 {
		return nil, nil, false
	}
	switch string(words[0]) {
	case "check":
		return check, words[1], true
	case "agent":
		return agent, words[1], true
	}
	return nil, nil, false
}
