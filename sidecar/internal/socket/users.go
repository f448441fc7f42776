package socket

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// users is a listener that counts its connections by user.
type users struct {
	net.Listener
	limit   int
	refused func(uid uint32)

	mu   sync.Mutex
	open map[uint32]int // connections, by uid; guarded by mu
}

// LimitUsers returns a listener that has at most n of the Unix listener's
// connections open for any one user. Root and this process's own user may have
// any number. One beyond them is closed before the next is accepted, so that it
// never keeps another user's from its place, and refused is called, by the
// goroutine that accepts. One whose user the kernel does not tell is closed too.
func LimitUsers(l net.Listener, n int, refused func(uid uint32)) net.Listener {
	return &users{Listener: l, limit: n, refused: refused, open: make(map[uint32]int)}
}

func (l *users) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		unix, ok := conn.(syscall.Conn)
		if !ok {
			conn.Close()
			continue
		}
		peer, err := PeerOf(unix)
		if err != nil {
			conn.Close()
			continue
		}
		if !l.enter(peer.UID) {
			l.refused(peer.UID)
			conn.Close()
			continue
		}
		return &placed{Conn: conn, leave: sync.OnceFunc(func() { l.leave(peer.UID) })}, nil
	}
}

// enter reports whether the user may have one more, and counts it if so.
func (l *users) enter(uid uint32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if uid != 0 && uid != uint32(os.Geteuid()) && l.open[uid] >= l.limit {
		return false
	}
	l.open[uid]++
	return true
}

func (l *users) leave(uid uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[uid]--; l.open[uid] == 0 {
		delete(l.open, uid)
	}
}
