package main

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// logAttacks are what a reader of logs can do that is stuck or dies.
func logAttacks() []attack {
	return []attack{
		{name: "blocked log, landmarkd", what: "nothing reads landmarkd's log; programs come and go, an operator drains", who: "log reader",
			play: func(s *scene) { r, w := s.log(true); defer r.Close(); defer w.Close(); landmarkdLog(s, w, nil) }},
		{name: "closed log, landmarkd", what: "the reader of landmarkd's log has exited", who: "log reader",
			play: func(s *scene) { r, w := s.log(false); defer w.Close(); landmarkdLog(s, w, r) }},
		{name: "blocked log, landmark-watch", what: "nothing reads landmark-watch's log; the program is wedged, freed, killed", who: "log reader",
			play: func(s *scene) { r, w := s.log(true); defer r.Close(); defer w.Close(); watchLog(s, w, nil) }},
		{name: "closed log, landmark-watch", what: "the reader of landmark-watch's log has exited", who: "log reader",
			play: func(s *scene) { r, w := s.log(false); defer w.Close(); watchLog(s, w, r) }},
	}
}

// log returns a pipe for a log, full if nothing is to read it.
func (s *scene) log(full bool) (reader, writer *os.File) {
	r, w, err := os.Pipe()
	s.must(err)
	if full {
		// The smallest pipe has one page. The end that the program inherits
		// blocks, for it shares the description with this one only until then.
		size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096)
		s.must(err)
		_, err = w.Write(make([]byte, size))
		s.must(err)
	}
	return r, w
}

// landmarkdLog plays what landmarkd logs a line for. reader is closed before,
// where there is one.
func landmarkdLog(s *scene, writer, reader *os.File) {
	s.prepare()
	s.sidecar.stderr = writer
	s.boot()
	if reader != nil {
		reader.Close()
	}
	well, wedged := s.pair()
	s.turn("well", unhealthy, well.kill)
	s.turn("well", healthy, func() { s.run("well", "2") })
	s.turn("wedged", healthy, func() { wedged.signal(syscall.SIGUSR2) })
	s.turn("wedged", unhealthy, func() {
		if !s.operator("drain", "-admin-socket", s.sidecar.admin(), "wedged") {
			s.fail("landmark drain did not end well")
		}
	})
	if !s.sidecar.alive() {
		s.fail("landmarkd died: %v", s.sidecar.cmd.ProcessState)
	}
}

// watchLog plays what landmark-watch logs a line for.
func watchLog(s *scene, writer, reader *os.File) {
	well, wedged := s.usual()
	director := s.director(writer, "well", "wedged")
	if reader != nil {
		reader.Close()
	}
	s.settle("well", healthy)
	s.settle("wedged", unhealthy)
	s.turn("wedged", healthy, func() { wedged.signal(syscall.SIGUSR2) })
	s.turn("wedged", unhealthy, func() { wedged.signal(syscall.SIGUSR1) })
	s.turn("well", unhealthy, well.kill)
	s.turn("well", healthy, func() { s.run("well", "2") })
	if !director.alive() {
		s.fail("landmark-watch died: %v", director.cmd.ProcessState)
	}
	s.last(0, 2*time.Second)
}
