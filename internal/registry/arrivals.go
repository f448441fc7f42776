package registry

import "sync"

// expected are the agents of each user that have connected and not reported yet.
// On a machine without CPU time that may take longer than the start grace.
type arrivals struct {
	mu    sync.Mutex
	users map[uint32]int // by uid; guarded by mu
}

// ExpectReport notes that an agent of the user has connected, until arrived is called:
// when it has reported, or is gone.
func (r *Registry) ExpectReport(uid uint32) (arrived func()) {
	a := &r.expected
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.users == nil {
		a.users = make(map[uint32]int)
	}
	a.users[uid]++
	return sync.OnceFunc(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.users[uid]--; a.users[uid] == 0 {
			delete(a.users, uid)
		}
	})
}

// any reports whether agents of the user are arriving, or of any, if it is nobody:
// whose a service is that was never reported is not known.
func (a *arrivals) any(uid uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if uid == noOwner {
		return len(a.users) > 0
	}
	return a.users[uid] > 0
}
