package sdnotify

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/pidfd"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/sdnotify"
)

// This file decides which process a datagram is about, and whether its sender may speak
// for it.

// key identifies a main process of a service.
type key struct {
	service string
	pid     int
}

// maxAncestors is how many ancestors of an unknown sender are looked at.
const maxAncestors = 8

// Errors for datagrams that are refused.
var (
	errInvisible  = errors.New("its sender is in another PID namespace: run landmarkd where it can see the program, such as with a shared PID namespace")
	errGone       = errors.New("its sender has ended, and it names no MAINPID=")
	errSenderGone = errors.New("its sender, which names MAINPID=, has ended: let it wait until the notification was handled, as systemd-notify does without --no-block")
	errDropped    = errors.New("dropped") // by the limit, which logs
)

// processOf returns the process that the notification is about. It may be new.
func (s *Server) processOf(service string, m *sdnotify.Message, d *sdnotify.Datagram) (*process, error) {
	main := d.PID
	named := m.MainPID != 0 && m.MainPID != d.PID
	if named {
		if !s.mayFind(d) {
			return nil, errDropped
		}
		var err error
		if main, err = s.namedProcess(m.MainPID, d); err != nil {
			return nil, err
		}
	}
	if p := s.known(key{service, main}, d); p != nil {
		if main != d.PID && !mayName(d.UID, p.uid) {
			return nil, fmt.Errorf("uid %d may not speak for the process %d of uid %d", d.UID, main, p.uid)
		}
		return p, nil
	}
	if !named && !s.mayFind(d) {
		return nil, errDropped
	}
	if main == d.PID && isHelper(m) {
		if p := s.ancestor(service, d); p != nil {
			return p, nil
		}
	}
	p, err := s.newProcess(service, main, m, d)
	if err != nil {
		return nil, err
	}
	if main != d.PID {
		s.moveFrom(d, p)
	}
	return p, nil
}

// mayFind reports whether the limit of the sender allows to find out who it is.
func (s *Server) mayFind(d *sdnotify.Datagram) bool {
	taken, log := s.limiter.take(senderOf(d.UID, d.PID), findUnits, time.Now())
	if !taken {
		s.logDropped(d, log)
	}
	return taken
}

// mayName reports whether the user may speak for another process of the owner.
func mayName(uid, owner uint32) bool { return uid == owner || uid == 0 }

// isHelper reports whether the notification can come from a helper of the main process,
// such as a script or a worker: it says neither which process it is nor anything that
// differs from process to process.
func isHelper(m *sdnotify.Message) bool {
	return m.Instance == "" && m.MainPID == 0 && len(m.Declarations) == 0 && len(m.Facts) == 0 && m.Drain == nil
}

// dropWatchdog drops what a notification of another process says of the main process's
// watchdog, without naming that process: a worker that works does not show that the main
// process does.
func dropWatchdog(m *sdnotify.Message, main int) {
	if (m.Watchdog || m.WatchdogTimeout != nil) && m.Problem == nil {
		m.Problem = fmt.Errorf("WATCHDOG=1 and WATCHDOG_USEC= of another process have no effect: send them from the main process itself, or with MAINPID=%d", main)
	}
	m.Watchdog, m.WatchdogTimeout = false, nil
}

// known returns the process that had the number when the datagram was sent, nil if it is
// not known. It may have exited since then. If another process had its number already,
// that the known one has exited is handled here.
func (s *Server) known(k key, d *sdnotify.Datagram) *process {
	s.mu.Lock()
	p := s.processes[k]
	s.mu.Unlock()
	if p == nil || !p.exit.HasExited() {
		return p
	}
	if stat, err := s.readStat(k.pid); err != nil || stat.start == p.start || stat.startedAfter(d) {
		return p
	}
	p.exited()
	s.remove(p)
	return nil
}

// ancestor returns the nearest main process of the service that the sender descends
// from, and may speak for, or nil. A process that has spoken for another stands for it.
func (s *Server) ancestor(service string, d *sdnotify.Datagram) *process {
	pid := d.PID
	for range maxAncestors {
		if p := s.known(key{service, pid}, d); p != nil && mayName(d.UID, p.uid) {
			return p
		}
		stat, err := s.readStat(pid)
		if err != nil {
			return nil
		}
		if p := s.spokenFor(service, pid, stat.start); p != nil && mayName(d.UID, p.uid) {
			return p
		}
		if stat.parent <= 1 {
			return nil
		}
		pid = stat.parent
	}
	return nil
}

// namedProcess returns the process that a sender names by MAINPID, as landmarkd sees
// it. It must belong to the sender's user, unless that is root.
func (s *Server) namedProcess(named int, d *sdnotify.Datagram) (pid int, err error) {
	sender, err := readStatus(d.PID)
	switch {
	case err != nil && isRunning(d.PID):
		return 0, fmt.Errorf("its sender: %w", unreadable(err))
	case err != nil:
		return 0, errSenderGone // in which namespace the number is meant is not known
	}
	if len(sender.nested) > 1 {
		// It is in a PID namespace of its own, and the number is from there.
		if named == sender.nested[len(sender.nested)-1] {
			return d.PID, nil
		}
		return 0, fmt.Errorf("MAINPID=%d is from another PID namespace: only the sender's own number can be used from there", named)
	}
	if d.UID == 0 {
		return named, nil
	}
	main, err := readStatus(named)
	switch {
	case err != nil && isRunning(named):
		return 0, fmt.Errorf("MAINPID=%d: %w", named, unreadable(err))
	case err != nil:
		return 0, fmt.Errorf("MAINPID=%d: there is no such process", named)
	case main.uid != d.UID:
		return 0, fmt.Errorf("MAINPID=%d is a process of uid %d, and the sender is of uid %d", named, main.uid, d.UID)
	}
	return named, nil
}

// isRunning reports whether there is a process with the number, also if /proc does not
// show it.
func isRunning(pid int) bool {
	fd, err := pidfd.Open(pid)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return !pidfd.HasExited(fd)
}

// unreadable is the error of a process that runs, and that /proc does not show.
func unreadable(err error) error {
	return fmt.Errorf("it runs, and landmarkd cannot read what /proc says of it (%w): mount /proc without hidepid=, or with the gid= of a group that landmarkd is in", err)
}

// newProcess begins the session of a process.
func (s *Server) newProcess(service string, pid int, m *sdnotify.Message, d *sdnotify.Datagram) (*process, error) {
	if !s.config.Registry.Knows(service) {
		if taken, log := s.limiter.take(senderOf(d.UID, d.PID), createUnits, time.Now()); !taken {
			s.logDropped(d, log)
			return nil, errDropped
		}
	}
	fd, err := pidfd.Open(pid)
	switch {
	case errors.Is(err, unix.ESRCH) && pid != d.PID:
		return nil, fmt.Errorf("MAINPID=%d: there is no such process", pid)
	case errors.Is(err, unix.ESRCH):
		return nil, errGone
	case err != nil:
		return nil, fmt.Errorf("opening a pidfd of the process %d: %w", pid, err)
	}
	stat, err := s.readStat(pid)
	switch {
	case err != nil && !pidfd.HasExited(fd):
		err = fmt.Errorf("the process %d: %w", pid, unreadable(err))
	case err != nil:
		err = errGone
	case pid == d.PID && stat.startedAfter(d):
		err = errGone // another process has its number now
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	now := s.now()
	return s.open(&process{
		service: service, pid: pid, start: stat.start, uid: d.UID, instance: instanceOf(m.Instance, pid, stat.start),
		state: newState(now.Add(-d.Age())),
	}, fd)
}

// instanceOf returns the instance name of a process: the one that it gives itself, else
// one that is the same for the life of the process, and no other process's.
func instanceOf(named string, pid int, start uint64) string {
	if named != "" {
		return named
	}
	return fmt.Sprintf("%d-%s", pid, strings.ToUpper(strconv.FormatUint(start, 36)))
}

// openSession opens the session of the process in the registry.
func (s *Server) openSession(p *process) (*registry.Session, error) {
	session, err := s.config.Registry.Open(registry.AgentID{Service: p.service, Instance: p.instance, UID: p.uid}, link{p})
	if err == nil {
		session.SetNotifies()
		session.SetProcess(evidence.Process{PID: p.pid, Exited: func() bool { return p.exit.HasExited() }}) // set before the first report
	}
	return session, err
}

// open opens the session of the process, and watches for its exit by the pidfd. If it
// returns an error, it has closed the pidfd.
func (s *Server) open(p *process, fd int) (*process, error) {
	p.server = s
	p.logger = s.logLimit.Logger(s.config.Logger.With("service", p.service, "instance", p.instance, "pid", p.pid, "uid", p.uid), p.uid, p.service)
	p.timer = time.AfterFunc(time.Hour, p.tick)
	p.timer.Stop()
	if err := s.reserve(p.uid); err != nil {
		unix.Close(fd)
		return nil, err
	}
	session, err := s.openSession(p)
	if err != nil {
		s.release(p.uid)
		unix.Close(fd)
		return nil, err
	}
	p.session = session
	s.config.Registry.Clock().AddSource()
	p.mu.Lock() // its exit is handled once it is known
	defer p.mu.Unlock()
	if p.exit, err = s.exits.Watch(fd, func() { s.exited(p) }); err != nil {
		p.end(session.Disconnect)
		s.release(p.uid)
		return nil, fmt.Errorf("watching the process %d: %w", p.pid, err)
	}
	s.add(p)
	p.logger.Info("program reports")
	return p, nil
}
