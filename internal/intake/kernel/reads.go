package kernel

import (
	"sync"

	"github.com/landmark-health/landmark/internal/registry"
)

// reads counts the reads of processes by user, from their start on, and has the failures
// that wait for one of their user to end. Its zero value has none.
//
// While failures of a user wait, a worker reads a process of that user: it goes on with
// them. See next.
type reads struct {
	mu    sync.Mutex
	hung  int                   // reads that were abandoned and have not ended; guarded by mu
	users map[uint32]*userReads // guarded by mu
}

// userReads are the reads of one user.
type userReads struct {
	running, hung int
	waiting       []registry.Failure
}

// oneRead is a read of one process.
type oneRead struct {
	reads            *reads
	uid              uint32
	abandoned, ended bool // guarded by reads.mu
}

// start begins to read the process that failed. It returns nil if the user has as many reads
// as it may: then the failure waits for one to end, or is skipped if they hang or too many
// wait.
func (r *reads) start(f registry.Failure) (read *oneRead, skipped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[f.UID]
	switch {
	case r.hung >= maxHung || u != nil && u.hung >= maxUser:
		return nil, true
	case u == nil:
		if r.users == nil {
			r.users = make(map[uint32]*userReads)
		}
		u = new(userReads)
		r.users[f.UID] = u
	case u.running+u.hung >= maxUser && len(u.waiting) >= userBurst:
		return nil, true
	case u.running+u.hung >= maxUser:
		u.waiting = append(u.waiting, f)
		return nil, false
	}
	u.running++
	return &oneRead{reads: r, uid: f.UID}, false
}

// next takes a failure of the user that need not wait any more: it can be read, or is
// skipped. A worker calls it after each failure of the user.
func (r *reads) next(uid uint32) (f registry.Failure, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[uid]
	if u == nil || len(u.waiting) == 0 || u.running > 0 && u.running+u.hung >= maxUser {
		return registry.Failure{}, false
	}
	f, u.waiting = u.waiting[0], u.waiting[1:]
	r.tidy(uid, u)
	return f, true
}

// tidy forgets a user of whom nothing is read and nothing waits. The caller holds mu.
func (r *reads) tidy(uid uint32, u *userReads) {
	if u.running+u.hung+len(u.waiting) == 0 {
		delete(r.users, uid)
	}
}

// abandon counts the read as hung, unless it has ended.
func (o *oneRead) abandon() {
	o.reads.mu.Lock()
	defer o.reads.mu.Unlock()
	if o.ended {
		return
	}
	o.abandoned = true
	u := o.reads.users[o.uid]
	u.running--
	u.hung++
	o.reads.hung++
}

// end ends the read.
func (o *oneRead) end() {
	o.reads.mu.Lock()
	defer o.reads.mu.Unlock()
	o.ended = true
	u := o.reads.users[o.uid]
	if o.abandoned {
		u.hung--
		o.reads.hung--
	} else {
		u.running--
	}
	o.reads.tidy(o.uid, u)
}
