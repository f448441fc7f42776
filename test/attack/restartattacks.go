package main

import (
	"fmt"
	"syscall"
	"time"
)

// restartAttacks are kill -9 and a new start of landmarkd, with a member that is
// not well.
func restartAttacks() []attack {
	harms := []struct {
		name string
		do   func(p *program)
	}{
		{"wedged", func(p *program) { p.signal(syscall.SIGUSR1) }},
		{"frozen", func(p *program) { p.signal(syscall.SIGSTOP) }},
		{"killed", func(p *program) { p.kill() }},
	}
	var all []attack
	for _, harm := range harms {
		all = append(all, attack{name: "restart, member " + harm.name, who: "operator", restarts: true,
			what: "landmarkd is killed and restarted while one process of three is " + harm.name,
			play: func(s *scene) { restartWith(s, harm.do) }})
	}
	return append(all,
		attack{name: "restart, drained", what: "landmarkd is killed and restarted under an operator's drain", who: "operator", restarts: true, play: restartDrained},
		attack{name: "crowded restart", what: "20 programs in 5 % of a processor, landmarkd is restarted", who: "operator", restarts: true, onlyLong: true, play: crowdedRestart},
	)
}

// restartWith restarts landmarkd while one of three processes is harmed.
func restartWith(s *scene, harm func(p *program)) {
	s.start(s.config("services:\n  epg:\n    instances: all\n")...)
	s.run("well", "1")
	first, second, third := s.run("epg", "1"), s.run("epg", "2"), s.run("epg", "3")
	s.joined(first, second, third)
	s.check("well", "epg")
	s.turn("well", healthy, nil)
	s.turn("epg", healthy, nil)
	s.director(nil, "well", "epg")
	s.settle("epg", healthy)
	s.turn("epg", unhealthy, func() { harm(third) })
	rounds := 3
	if s.long {
		rounds = 14
	}
	for range rounds {
		s.restart()
		s.last(1300*time.Millisecond, 2*time.Second)
	}
}

// restartDrained restarts landmarkd under a drain.
func restartDrained(s *scene) {
	s.start()
	s.run("well", "1")
	s.run("epg", "1")
	s.check("well", "epg")
	s.turn("well", healthy, nil)
	s.turn("epg", healthy, nil)
	s.turn("epg", unhealthy, func() { s.operator("drain", "-admin-socket", s.sidecar.admin(), "epg") })
	for range 2 {
		s.restart()
		s.last(1300*time.Millisecond, 2*time.Second)
	}
	s.turn("epg", healthy, func() { s.operator("resume", "-admin-socket", s.sidecar.admin(), "epg") })
}

// crowdedRestart restarts landmarkd under programs that have little of a
// processor.
func crowdedRestart(s *scene) {
	s.usual()
	group, err := newGroup(5)
	if err != nil {
		s.skip("no control group can be made: " + err.Error())
	}
	s.after = group.remove // once the programs in it have ended
	var crowd []string
	for i := range 20 {
		service := fmt.Sprint("crowd", i)
		p := s.run(service, "1")
		s.joined(p)
		s.must(group.add(p.pid()))
		crowd = append(crowd, service)
	}
	for _, service := range crowd[:2] {
		s.check(service)
	}
	for _, service := range crowd[:2] {
		s.turn(service, healthy, nil)
	}
	for range 5 {
		s.restart()
		s.last(2*time.Second, 3*time.Second)
	}
}
