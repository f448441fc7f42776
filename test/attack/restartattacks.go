package main

import (
	"fmt"
	"syscall"
	"time"
)

// restartAttacks kill and restart landmarkd while one process of a service is
// unhealthy.
func restartAttacks() []attack {
	harms := []struct {
		name string
		do   func(p *program)
	}{
		{"hung", func(p *program) { p.signal(syscall.SIGUSR1) }},
		{"frozen", func(p *program) { p.signal(syscall.SIGSTOP) }},
		{"killed", func(p *program) { p.kill() }},
	}
	var all []attack
	for _, harm := range harms {
		all = append(all, attack{name: "restart, member " + harm.name, who: "operator",
			what: "landmarkd is killed and restarted while one process of three is " + harm.name,
			play: func(s *scene) { restartWith(s, harm.do) }})
	}
	return append(all,
		attack{name: "restart, drained", what: "landmarkd is killed and restarted under an operator's drain", who: "operator", play: restartDrained},
		attack{name: "crowded restart", what: "20 programs in 5 % of a processor, landmarkd is restarted", who: "operator", onlyLong: true, play: crowdedRestart},
	)
}

// restartWith restarts landmarkd after harm to one of three processes.
func restartWith(s *scene, harm func(p *program)) {
	s.start(s.config("services:\n  epg:\n    instances: all\n")...)
	s.run("well", "1")
	first, second, third := s.run("epg", "1"), s.run("epg", "2"), s.run("epg", "3")
	s.awaitReported(first, second, third)
	s.check("well", "epg")
	s.change("well", healthy, nil)
	s.change("epg", healthy, nil)
	s.director(nil, "well", "epg")
	s.awaitCheckers("epg", healthy)
	s.change("epg", unhealthy, func() { harm(third) })
	rounds := 3
	if s.long {
		rounds = 14
	}
	for range rounds {
		s.restart()
		s.runFor(1300*time.Millisecond, 2*time.Second)
	}
}

// restartDrained restarts landmarkd under a drain.
func restartDrained(s *scene) {
	s.start()
	s.run("well", "1")
	s.run("epg", "1")
	s.check("well", "epg")
	s.change("well", healthy, nil)
	s.change("epg", healthy, nil)
	s.change("epg", unhealthy, func() { s.operator("drain", "-admin-socket", s.sidecar.admin(), "epg") })
	for range 2 {
		s.restart()
		s.runFor(1300*time.Millisecond, 2*time.Second)
	}
	s.change("epg", healthy, func() { s.operator("resume", "-admin-socket", s.sidecar.admin(), "epg") })
}

// crowdedRestart restarts landmarkd under programs with little processor time.
func crowdedRestart(s *scene) {
	s.startPair()
	group, err := newGroup(5)
	if err != nil {
		s.skip("creating a control group: " + err.Error())
	}
	s.after = group.remove // once the programs in it have ended
	var crowd []string
	for i := range 20 {
		service := fmt.Sprint("crowd", i)
		p := s.run(service, "1")
		s.awaitReported(p)
		s.must(group.add(p.pid()))
		crowd = append(crowd, service)
	}
	for _, service := range crowd[:2] {
		s.check(service)
	}
	for _, service := range crowd[:2] {
		s.change(service, healthy, nil)
	}
	for range 5 {
		s.restart()
		s.runFor(2*time.Second, 3*time.Second)
	}
}
