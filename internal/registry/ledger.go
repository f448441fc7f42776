package registry

import (
	"runtime"
	"sync"
	"unsafe"
)

const (
	// MaxHistory bounds the memory of all histories together, in bytes, and
	// MaxHistoryPerUser that of the services of one user. Where they would be
	// more together, users share alike, and one that has more than its share
	// gives it up with its next changes.
	MaxHistory        = 12 << 20
	MaxHistoryPerUser = 4 << 20
)

// histories is how much memory the histories of each user's services take.
type ledger struct {
	mu    sync.Mutex // guards what follows
	users map[uint32]int
	all   int
}

// account is one service's part of the ledger. It must not refer to the service,
// whose end it outlives.
type entry struct {
	ledger *ledger
	uid    uint32
	bytes  int
}

// enter makes an entry for the service, which is taken out when the service is no
// longer there.
func (l *ledger) enter(s *service) *entry {
	e := &entry{ledger: l, uid: s.owner.Load()}
	runtime.AddCleanup(s, func(e *entry) { e.charge(e.uid, -e.bytes) }, e)
	return e
}

// charge adds n bytes, which may be negative, to what the service takes, and all
// of that to the user's account. It reports whether that is too much. The caller
// holds the service's mu.
func (e *entry) charge(uid uint32, n int) (over bool) {
	l := e.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(e.uid, -e.bytes)
	e.uid = uid
	e.bytes += n
	l.add(e.uid, e.bytes)
	own := l.users[uid]
	return own > MaxHistoryPerUser || l.all > MaxHistory && own > MaxHistory/len(l.users)
}

func (l *ledger) add(uid uint32, n int) {
	if l.users == nil {
		l.users = make(map[uint32]int)
	}
	l.all += n
	if l.users[uid] += n; l.users[uid] == 0 {
		delete(l.users, uid)
	}
}

// size is how much memory a change takes, in bytes.
func (c *dated) size() int {
	n := int(unsafe.Sizeof(*c))
	for a, v := range c.Verdicts {
		if a == 0 || v.Reason != c.Verdicts[0].Reason { // else it is the same string
			n += len(v.Reason)
		}
	}
	for _, r := range c.Landmarks {
		n += int(unsafe.Sizeof(r)) + int(unsafe.Sizeof(*r.Landmark)) + len(r.Name) + len(r.Reason)
	}
	return n
}
