package agents

import (
	"os"
	"runtime"
	"slices"
	"sync"
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
	u.endOne("another", func() {
		first.conn.Close()
		second.send(goodbye())
		select {
		case <-firstSub.Changed():
			t.Errorf("epg is %v while another session of the user ends; want that its own waits", s.look("epg").Cause)
		case <-secondSub.Changed():
			t.Errorf("vod is %v while another session of the user ends; want that its own waits", s.look("vod").Cause)
		case <-time.After(50 * time.Millisecond): // enough for sessions that do not wait
		}
		newUser(65000, s.server.logger).endOne("epg", func() {}) // does not wait for this user
	})
	s.await("epg", judge.NotServing, judge.Lost)
	s.await("vod", judge.NotServing, judge.Stopped)
}

// Many sessions of a service end, each of which takes long. That of another service waits for
// few of them. In the end nothing is kept.
func TestEndingsOfAServiceHoldUpNoOther(t *testing.T) {
	const sessions = 20
	var e endings
	var order []string // guarded by e.ending
	var running sync.WaitGroup
	end := func(service string) {
		running.Go(func() {
			e.one(service, func() {
				<-time.After(2 * time.Millisecond) // so long that a mutex goes in turn
				order = append(order, service)
			})
		})
	}
	e.one("another", func() {
		for range sessions {
			end("epg")
		}
		for joined := 0; joined < sessions; {
			runtime.Gosched()
			e.mu.Lock()
			if epg := e.services["epg"]; epg != nil {
				joined = epg.sessions
			}
			e.mu.Unlock()
		}
		end("vod")
	})
	running.Wait()
	if at := slices.Index(order, "vod"); at > sessions/4 || len(order) != sessions+1 {
		t.Errorf("the session of vod ended after %d of epg: %q", at, order)
	}
	if len(e.services) != 0 {
		t.Errorf("%d services are kept", len(e.services))
	}
}
