package sdnotify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/landmark-health/landmark/internal/sdnotify"
	"github.com/landmark-health/landmark/internal/socket"
)

// This file is which processes are known.

// speaker is a process that has named another one as the main process.
type speaker struct {
	key
	start uint64
	main  *process
}

// maxSpeakers is how many speakers are remembered.
const maxSpeakers = 256

// reserve counts one more process of the user, unless there are too many. If all are
// taken, it ends the session of a process of the user that has most.
func (s *Server) reserve(uid uint32) error {
	victim, err := s.tryReserve(uid)
	if victim != nil {
		victim.displace()
	}
	return err
}

func (s *Server) tryReserve(uid uint32) (victim *process, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.byUser[uid]; n >= s.config.PerUser && !socket.Privileged(uid) {
		return nil, fmt.Errorf("%d processes of uid %d report by notifications, as many as one user may have", n, uid)
	}
	if s.total >= s.config.Processes {
		if victim = s.displaceable(uid); victim == nil {
			return nil, fmt.Errorf("%d processes report by notifications, as many as may: raise LimitNOFILE= in landmarkd's unit", s.total)
		}
	}
	s.total++
	s.byUser[uid]++
	return victim, nil
}

// displaceable returns the process that makes room for one of the user: of the user that
// has most, the one that was silent for longest. It returns nil if the user has as many.
// Root and landmarkd's own user are not displaced, and displace every other. The caller
// holds mu.
func (s *Server) displaceable(uid uint32) (longest *process) {
	most, found := uint32(0), false
	for user, n := range s.byUser {
		if !socket.Privileged(user) && (!found || n > s.byUser[most]) {
			most, found = user, true
		}
	}
	if !found || most == uid || !socket.Privileged(uid) && s.byUser[most] <= s.byUser[uid]+1 {
		return nil
	}
	for _, p := range s.processes {
		if p.uid == most && (longest == nil || p.lastSent.Load() < longest.lastSent.Load()) {
			longest = p
		}
	}
	return longest
}

// release counts one process of the user less.
func (s *Server) release(uid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.byUser[uid]--; s.byUser[uid] == 0 {
		delete(s.byUser, uid)
	}
}

// add adds the process to those that are known.
func (s *Server) add(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.added++
	p.number = s.added
	s.processes[key{p.service, p.pid}] = p
}

// remove forgets a process that has ended.
func (s *Server) remove(p *process) {
	p.exit.Stop()
	s.mu.Lock()
	k := key{p.service, p.pid}
	known := s.processes[k] == p
	if known {
		delete(s.processes, k)
	}
	s.mu.Unlock()
	if known {
		s.release(p.uid)
		s.changed()
	}
}

// all returns the processes that are known, in the order in which their sessions began.
// That of the next landmarkd begin in the same order, so that it counts them alike.
func (s *Server) all() []*process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.processes), func(a, b *process) int { return cmp.Compare(a.number, b.number) })
}

// A parent that speaks for a process, as landmark exec does, receives the last
// notifications of the process, and passes them on before it waits for the process. So
// until it has, landmarkd waits for these, for parentTimeout at most. It looks after
// parentInterval, and then less and less often, so that this costs little.
const (
	parentTimeout  = 250 * time.Millisecond
	parentInterval = 2 * time.Millisecond
)

// awaitsParent reports whether a notification may still come of a process that has exited.
func (s *Server) awaitsParent(p *process) bool {
	parent := int(p.speaker.Load())
	if parent == 0 {
		return false
	}
	stat, err := s.readStat(p.pid)
	return err == nil && stat.start == p.start && stat.exited() && stat.parent == parent && p.sinceExit() < parentTimeout
}

// sinceExit returns for how long the process is known to have exited.
func (p *process) sinceExit() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exitedAt.IsZero() {
		p.exitedAt = time.Now()
	}
	return time.Since(p.exitedAt)
}

// exited handles the exit of a process. What it sent before is handled first.
func (s *Server) exited(p *process) {
	if s.stopping.Load() {
		return
	}
	if s.awaitsParent(p) {
		since := p.sinceExit()
		time.AfterFunc(min(max(parentInterval, since), parentTimeout-since), func() { s.exited(p) })
		return
	}
	for _, r := range *s.receivers.Load() {
		r.drain()
	}
	p.exited()
	s.remove(p)
}

// moveFrom makes p take over what the sender has said of itself, if it has: it is not
// the main process any more. From now on the sender speaks for p.
func (s *Server) moveFrom(d *sdnotify.Datagram, p *process) {
	if stat, err := s.readStat(d.PID); err == nil { // else it has ended
		s.addSpeaker(speaker{key{p.service, d.PID}, stat.start, p})
	}
	if before := s.known(key{p.service, d.PID}, d); before != nil {
		p.replace(before)
		s.remove(before)
	}
}

func (s *Server) addSpeaker(added speaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.speakers = append(s.speakers, added)
	if len(s.speakers) > maxSpeakers {
		s.speakers = append(s.speakers[:0], s.speakers[1:]...)
	}
}

// speakersFor returns the processes that have named the process.
func (s *Server) speakersFor(p *process) (speakers []savedSpeaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.speakers {
		if sp.main == p {
			speakers = append(speakers, savedSpeaker{PID: sp.pid, Start: sp.start})
		}
	}
	return speakers
}

// spokenFor returns the main process that the process has named last, nil if there is
// none, or if it has ended.
func (s *Server) spokenFor(service string, pid int, start uint64) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.speakers) - 1; i >= 0; i-- {
		if sp := s.speakers[i]; sp.key == (key{service, pid}) && sp.start == start {
			if s.processes[key{service, sp.main.pid}] == sp.main {
				return sp.main
			}
			return nil
		}
	}
	return nil
}
