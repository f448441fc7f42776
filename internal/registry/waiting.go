package registry

const (
	// maxWaiting is how many checkers may wait, for a service's first report or
	// for its main loop, that ask about what is known.
	maxWaiting = 3072
	// maxWaitingUnknown is how many more may wait for a service that is not
	// known: names without end can be made up, and those who ask about them
	// must not take the room of the others.
	maxWaitingUnknown = 1024
)

// waiting holds one token for each checker that waits.
type waiting struct{ known, unknown chan struct{} }

func newWaiting() waiting {
	return waiting{make(chan struct{}, maxWaiting), make(chan struct{}, maxWaitingUnknown)}
}

// of returns where those wait who ask about the name.
func (r *Registry) waitingFor(name []byte) chan struct{} {
	if service, _ := resolve(name); len(service) > 0 && (*r.services.Load())[string(service)] == nil {
		return r.waiting.unknown
	}
	return r.waiting.known
}
