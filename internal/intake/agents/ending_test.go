package agents

import (
	"os"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/judge"
)

// A thousand sessions that end at once must not delay the answers about others. So those
// of one user end one after the other.
func TestSessionsOfOneUserEndOneByOne(t *testing.T) {
	s := newSidecar(t)
	first, second := s.reporting("epg", "a", 0), s.reporting("vod", "a", 0)
	s.server.connections.mu.Lock()
	u := s.server.connections.users[uint32(os.Geteuid())]
	s.server.connections.mu.Unlock()
	firstSub, secondSub := s.registry.Subscribe([]byte("epg")), s.registry.Subscribe([]byte("vod"))
	defer firstSub.Close()
	defer secondSub.Close()
	u.endOne(func() {
		first.conn.Close()
		second.send(goodbye())
		select {
		case <-firstSub.Changed():
			t.Errorf("epg is %v while another session of the user ends; want that its own waits", s.look("epg").Cause)
		case <-secondSub.Changed():
			t.Errorf("vod is %v while another session of the user ends; want that its own waits", s.look("vod").Cause)
		case <-time.After(50 * time.Millisecond): // enough for sessions that do not wait
		}
		newUser(65000, s.server.logger).endOne(func() {}) // does not wait for this user
	})
	s.await("epg", judge.NotServing, judge.Lost)
	s.await("vod", judge.NotServing, judge.Stopped)
}
