package quota

import (
	"runtime"
	"sync"
)

// Memory bounds a kind of memory that users fill, in bytes. Below Limit each user
// may hold PerUser. Above it, each may hold an equal part of Limit.
type Memory struct {
	Limit, PerUser int

	mu    sync.Mutex // makes one step of a charge and the check after it
	bytes Counter
}

// Account is what one owner holds of a Memory. Its methods are called by one
// goroutine at a time.
type Account struct {
	memory *Memory
	uid    uint32
	bytes  int
}

// NewAccount returns an account of the user's that is cleared once the owner is
// garbage. The owner must be reachable for as long as the account is used, and the
// account must not refer to it.
func NewAccount[T any](m *Memory, owner *T, uid uint32) *Account {
	a := &Account{memory: m, uid: uid}
	runtime.AddCleanup(owner, func(a *Account) { a.memory.bytes.Add(a.uid, -a.bytes) }, a)
	return a
}

// Charge adds n bytes, which may be negative, and makes the account the user's. It
// reports whether the user then holds too much.
func (a *Account) Charge(uid uint32, n int) (over bool) {
	m := a.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bytes.Add(a.uid, -a.bytes)
	a.uid = uid
	a.bytes += n
	m.bytes.Add(a.uid, a.bytes)
	own := m.bytes.Of(uid)
	return own > m.PerUser || m.bytes.Total() > m.Limit && own > m.Limit/m.bytes.Users()
}
