package quota

import (
	"runtime"
	"testing"
)

func TestAccountIsClearedAfterItsOwnerIsGarbage(t *testing.T) {
	m := &Memory{Limit: 1 << 20, PerUser: 1 << 20}
	func() {
		owner := new([64]byte)
		a := NewAccount(m, owner, 1000)
		a.Charge(1000, 100)
		a.Charge(1001, 50)
		if got, users := m.bytes.Of(1001), m.bytes.Users(); got != 150 || users != 1 {
			t.Errorf("got %d bytes of uid 1001, %d users; want 150, 1", got, users)
		}
		runtime.KeepAlive(owner)
	}()
	for range 1000 {
		if runtime.GC(); m.bytes.Total() == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("got %d bytes without their owner, want 0", m.bytes.Total())
}

func TestMemoryIsSharedEquallyAboveItsLimit(t *testing.T) {
	m := &Memory{Limit: 100, PerUser: 80}
	owner := new([64]byte)
	a, b := NewAccount(m, owner, 1), NewAccount(m, owner, 2)
	for _, c := range []struct {
		account *Account
		uid     uint32
		n       int
		over    bool // want
	}{
		{a, 1, 80, false},
		{a, 1, 1, true}, // more than one user may have
		{a, 1, -1, false},
		{b, 2, 20, false},
		{b, 2, 10, false}, // 110 in all, but user 2 has less than half
		{a, 1, 0, true},
		{a, 1, -30, false}, // 80 in all
	} {
		if over := c.account.Charge(c.uid, c.n); over != c.over {
			t.Errorf("Charge(%d, %d) = %v, want %v", c.uid, c.n, over, c.over)
		}
	}
	runtime.KeepAlive(owner)
}
