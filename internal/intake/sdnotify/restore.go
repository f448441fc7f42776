package sdnotify

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// This file is how a landmarkd goes on with the processes of the one before it.

// restore begins the sessions of the processes in the file. One that has ended
// meanwhile is stopped or lost, as it would have been.
func (s *Server) restore() {
	for _, saved := range s.file.read() {
		s.restoreProcess(&saved, s.file.since(&saved))
	}
}

// restoreProcess restores a process that was written so long ago.
func (s *Server) restoreProcess(saved *savedProcess, age time.Duration) {
	p, at := saved.process(s.now()), s.now()
	fd, running, err := reopen(s, saved)
	if err == nil && !running {
		err = s.restoreEnded(p, at)
	} else if err == nil {
		if p, err = s.open(p, fd); err == nil {
			for _, sp := range saved.Speakers {
				s.addSpeaker(speaker{key{p.service, sp.PID}, sp.Start, p})
			}
			p.resume(at, saved, age)
		}
	}
	if err != nil {
		s.config.Logger.Warn("a process of the last landmarkd cannot report any more", "service", saved.Service, "instance", saved.Instance, "pid", saved.PID, "why", err)
	}
}

// reopen returns a pidfd of the process, and whether it still runs.
func reopen(s *Server, saved *savedProcess) (fd int, running bool, err error) {
	fd, err = pidfd.Open(saved.PID)
	if errors.Is(err, unix.ESRCH) {
		return -1, false, nil
	}
	if err != nil {
		return -1, false, err
	}
	stat, err := s.readStat(saved.PID)
	if err != nil || stat.exited() || stat.start != saved.Start { // it has ended, or another process has its number
		unix.Close(fd)
		return -1, false, nil
	}
	return fd, true, nil
}

// process returns the process as it was, with the ages of its landmarks as they were.
func (p *savedProcess) process(at judge.Instant) *process {
	restored := &process{service: p.Service, pid: p.PID, start: p.Start, uid: p.UID, instance: p.Instance}
	restored.state = state{
		ready: p.Ready, reloading: p.Reloading, stopping: p.Stopping, drain: p.Drain, text: p.Text, errno: p.Errno, timeout: p.Timeout,
		extended: at.Add(p.Extended), readyMark: p.ReadyMark.landmark(at), watchdog: p.Watchdog.landmark(at),
	}
	for i := range p.Own {
		restored.state.own = append(restored.state.own, p.Own[i].landmark(at))
	}
	return restored
}

func (l *savedLandmark) landmark(at judge.Instant) *landmark {
	return &landmark{Landmark: sdnotify.Landmark{Landmark: judge.Landmark{
		Declared: &l.Declared, At: at.Add(-l.Age), Reached: l.Reached, Count: l.Count,
		Open: l.Open > 0, Pending: l.Open, Value: l.Value, Met: l.Met, Triggered: l.Triggered, Reason: l.Reason,
	}}}
}

// resume reports a process that still exists, and was written so long ago. One that is
// stopped now counts as stopped since its last report: nobody knows better, and it does
// not work.
func (p *process) resume(at judge.Instant, saved *savedProcess, age time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.countLandmarks()
	if stat, err := p.server.readStat(p.pid); err != nil || stat.stopped() {
		p.frozen = true
		for _, l := range append([]*landmark{p.state.readyMark, p.state.watchdog}, p.state.own...) {
			l.At = l.At.Add(-age)
		}
		at = at.Add(-saved.Reported - age)
		p.reportedAt = at
	}
	p.report(at)
}

// restoreEnded reports a process that has ended while no landmarkd ran.
func (s *Server) restoreEnded(p *process, at judge.Instant) error {
	session, err := s.openSession(p)
	if err != nil {
		return err
	}
	p.session, p.server = session, s
	p.ended = true // for link.End
	if err := p.tryReport(at); err != nil {
		session.Disconnect()
		return err
	}
	if p.state.stopping {
		session.Goodbye()
	} else {
		session.Disconnect()
	}
	return nil
}
