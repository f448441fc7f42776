package agent

import (
	"fmt"
	"sync"
)

// An identity is what a sidecar knows an agent by. Of two agents with one
// identity it hears only the newer, so the older's landmarks would count for
// nothing.
type identity struct{ socket, service, instance string }

// taken are the identities of this process's agents.
var taken = struct {
	sync.Mutex
	by map[identity]bool
}{by: make(map[identity]bool)}

// take takes the identity for an agent, unless another has it.
func (id identity) take() error {
	taken.Lock()
	defer taken.Unlock()
	if taken.by[id] {
		return fmt.Errorf("this process reports %s as %q already; "+
			"put all its landmarks into one set, or give each agent an instance name of its own", id.service, id.instance)
	}
	taken.by[id] = true
	return nil
}

// release lets another agent take the identity.
func (id identity) release() {
	taken.Lock()
	defer taken.Unlock()
	delete(taken.by, id)
}
