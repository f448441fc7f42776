package main

import (
	"syscall"
	"time"
)

// processAttacks are events of programs and landmarkd in an order that could hide a
// failure.
func processAttacks() []attack {
	return []attack{
		{name: "replaced name", what: "x is hung and alive, y well; a second x starts and is never ready", who: "operator", play: replacedName},
		{name: "both stopped", what: "landmarkd is stopped, then the program; landmarkd goes on", who: "operator", play: bothStopped},
		{name: "blue and green", what: "A is hung, B starts beside it and is ready, A is killed", who: "operator", play: blueGreen},
		{name: "inherited socket", what: "a program dies whose socket a child holds, and is started again", who: "program", play: inheritedSocket},
	}
}

func replacedName(s *scene) {
	s.start()
	x, y := s.run("epg", "x"), s.run("epg", "y")
	s.awaitReported(x, y)
	s.check("epg")
	s.change("epg", healthy, nil)
	s.change("epg", unhealthy, func() { x.signal(syscall.SIGUSR1) })
	s.run("epg", "x", "-never")
	s.runFor(1500*time.Millisecond, 5*time.Second)
}

func bothStopped(s *scene) {
	s.start()
	epg := s.run("epg", "1")
	s.check("epg")
	s.change("epg", healthy, nil)
	s.oracle.set("epg", unknownState, false)
	s.outage(func() {
		s.sidecar.signal(syscall.SIGSTOP)
		time.Sleep(600 * time.Millisecond)
		epg.signal(syscall.SIGSTOP)
		time.Sleep(3 * time.Second)
		s.setStrict("epg", unhealthy)
		s.sidecar.signal(syscall.SIGCONT)
	})
	s.awaitCheckers("epg", unhealthy)
	s.change("epg", healthy, func() { epg.signal(syscall.SIGCONT) })
}

func blueGreen(s *scene) {
	s.start()
	a := s.run("epg", "a")
	s.check("epg")
	s.change("epg", healthy, nil)
	s.change("epg", unhealthy, func() { a.signal(syscall.SIGUSR1) })
	s.awaitReported(s.run("epg", "b"))
	s.change("epg", healthy, a.kill)
}

func inheritedSocket(s *scene) {
	s.start()
	a := s.run("epg", "a", "-leak")
	s.check("epg")
	s.change("epg", healthy, nil)
	if !await(timeout, func() bool { return a.wrote(leaked) }) {
		s.fail("the program started no child that holds its socket")
	}
	s.change("epg", unhealthy, a.kill)
	s.change("epg", healthy, func() { s.run("epg", "b") })
	s.runFor(2*time.Second, 5*time.Second)
}
