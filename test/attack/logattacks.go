package main

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// logAttacks are attacks by a reader of logs that does not read, or exits.
func logAttacks() []attack {
	return []attack{
		{name: "blocked log, landmarkd", what: "nothing reads landmarkd's log; programs come and go, an operator drains", who: "log reader",
			play: func(s *scene) { r, w := s.log(true); defer r.Close(); defer w.Close(); landmarkdLog(s, w, nil) }},
		{name: "closed log, landmarkd", what: "the reader of landmarkd's log has exited", who: "log reader",
			play: func(s *scene) { r, w := s.log(false); defer w.Close(); landmarkdLog(s, w, r) }},
		{name: "blocked log, landmark-watch", what: "nothing reads landmark-watch's log; the program is hung, freed, killed", who: "log reader",
			play: func(s *scene) { r, w := s.log(true); defer r.Close(); defer w.Close(); watchLog(s, w, nil) }},
		{name: "closed log, landmark-watch", what: "the reader of landmark-watch's log has exited", who: "log reader",
			play: func(s *scene) { r, w := s.log(false); defer w.Close(); watchLog(s, w, r) }},
	}
}

// log returns a pipe for a log. If full is set, every write to it blocks.
func (s *scene) log(full bool) (reader, writer *os.File) {
	r, w, err := os.Pipe()
	s.must(err)
	if full {
		// The smallest pipe has one page. The end that the program inherits is
		// in blocking mode.
		size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
		s.must(err)
		_, err = w.Write(make([]byte, size))
		s.must(err)
	}
	return r, w
}

// landmarkdLog runs the events for which landmarkd logs a line. It closes reader
// first, if that is not nil.
func landmarkdLog(s *scene, writer, reader *os.File) {
	s.prepare()
	s.sidecar.stderr = writer
	s.boot()
	if reader != nil {
		reader.Close()
	}
	well, hung := s.pair()
	s.change("well", unhealthy, well.kill)
	s.change("well", healthy, func() { s.run("well", "2") })
	s.change("hung", healthy, func() { hung.signal(syscall.SIGUSR2) })
	s.change("hung", unhealthy, func() {
		if !s.operator("drain", "-admin-socket", s.sidecar.admin(), "hung") {
			s.fail("landmark drain did not succeed")
		}
	})
	if !s.sidecar.alive() {
		s.fail("landmarkd died: %v", s.sidecar.cmd.ProcessState)
	}
}

// watchLog runs the events for which landmark-watch logs a line.
func watchLog(s *scene, writer, reader *os.File) {
	well, hung := s.startPair()
	director := s.director(writer, "well", "hung")
	if reader != nil {
		reader.Close()
	}
	s.awaitCheckers("well", healthy)
	s.awaitCheckers("hung", unhealthy)
	s.change("hung", healthy, func() { hung.signal(syscall.SIGUSR2) })
	s.change("hung", unhealthy, func() { hung.signal(syscall.SIGUSR1) })
	s.change("well", unhealthy, well.kill)
	s.change("well", healthy, func() { s.run("well", "2") })
	if !director.alive() {
		s.fail("landmark-watch died: %v", director.cmd.ProcessState)
	}
	s.runFor(0, 2*time.Second)
}
