package main

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// countLag is how old the counts of connections of the kernel and of HAProxy may be: IPVS updates them every two seconds.
const countLag = 2500 * time.Millisecond

// drainAndResume drains rs1 while a crowd is connected through every service except the controls, and opens as many connections
// after that.
func (l *lab) drainAndResume() error {
	var services []virtualService
	for _, v := range l.services {
		if detectsHang(v.way) {
			services = append(services, v)
		}
	}
	drains := make([]journal.Drain, len(services))
	old, later := make([]crowd, len(services)), make([]crowd, len(services))
	// each returns an action that calls do for every service.
	each := func(do func(i int, v virtualService) error) action {
		return func() error {
			for i, v := range services {
				if err := do(i, v); err != nil {
					return fmt.Errorf("draining under %s: %w", v.name, err)
				}
			}
			return nil
		}
	}
	return l.play(
		each(func(i int, v virtualService) (err error) {
			drains[i].Service = v.name
			drains[i].OnDrained, err = l.connections(v, l.rs1)
			return err
		}),
		each(func(i int, v virtualService) (err error) {
			_, err = old[i].connect(v)
			drains[i].Crowd = v.crowd()
			drains[i].Established = len(old[i])
			return err
		}),
		l.linger(countLag),
		each(func(i int, v virtualService) error {
			n, err := l.connections(v, l.rs1)
			drains[i].OnDrained = n - drains[i].OnDrained
			return err
		}),
		l.step(journal.Drained, l.rs1.drain), l.awaitOut(detectsHang), l.linger(countLag),
		each(func(i int, v virtualService) (err error) {
			broken, why := old[i].request()
			if broken > 0 {
				drains[i].Broken, drains[i].Why = broken, why.Error()
			}
			drains[i].Misrouted, err = l.connections(v, l.rs1)
			return err
		}),
		each(func(i int, v virtualService) (err error) {
			drains[i].Failed, err = later[i].connect(v)
			drains[i].New = len(later[i])
			later[i].close()
			return err
		}),
		l.linger(countLag),
		each(func(i int, v virtualService) error {
			n, err := l.connections(v, l.rs1)
			drains[i].Misrouted = n - drains[i].Misrouted
			l.journal.Drain(drains[i])
			return err
		}),
		each(func(i int, _ virtualService) error {
			old[i].close()
			return nil
		}),
		l.step(journal.Resumed, l.rs1.resume), l.awaitIn(all), l.linger(clientPause))
}

// connections returns how many connections of the service the director has sent to the server, or 0 if the server is not in
// the table.
func (l *lab) connections(v virtualService, s *realServer) (int, error) {
	if v.proxied {
		return haproxyConnections(v, s)
	}
	return ipvsConnections(v.addrPort(), s.address)
}
