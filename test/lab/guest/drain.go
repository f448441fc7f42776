package main

import (
	"fmt"
	"time"

	"github.com/landmark-health/landmark/test/lab/journal"
)

// censusLag is how old the kernel's and HAProxy's counts of connections may be: IPVS adds them up every two seconds.
const censusLag = 2500 * time.Millisecond

// drainAndResume drains rs1 while a crowd is connected through every service that hears of it, and has as many come after it.
func (l *laboratory) drainAndResume() error {
	var services []virtualService
	for _, v := range l.services {
		if asking(v.way) {
			services = append(services, v)
		}
	}
	drains := make([]journal.Drain, len(services))
	old, young := make([]crowd, len(services)), make([]crowd, len(services))
	// each does something about every service.
	each := func(do func(i int, v virtualService) error) act {
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
			_, err = old[i].come(v)
			drains[i].Crowd = v.crowd()
			drains[i].Established = len(old[i])
			return err
		}),
		l.linger(censusLag),
		each(func(i int, v virtualService) error {
			n, err := l.connections(v, l.rs1)
			drains[i].OnDrained = n - drains[i].OnDrained
			return err
		}),
		l.step(journal.Drained, l.rs1.drain), l.awaitOut(asking), l.linger(censusLag),
		each(func(i int, v virtualService) (err error) {
			broken, why := old[i].ask()
			if broken > 0 {
				drains[i].Broken, drains[i].Why = broken, why.Error()
			}
			drains[i].Strayed, err = l.connections(v, l.rs1)
			return err
		}),
		each(func(i int, v virtualService) (err error) {
			drains[i].Failed, err = young[i].come(v)
			drains[i].New = len(young[i])
			young[i].leave()
			return err
		}),
		l.linger(censusLag),
		each(func(i int, v virtualService) error {
			n, err := l.connections(v, l.rs1)
			drains[i].Strayed = n - drains[i].Strayed
			l.journal.Drain(drains[i])
			return err
		}),
		each(func(i int, _ virtualService) error {
			old[i].leave()
			return nil
		}),
		l.step(journal.Resumed, l.rs1.resume), l.awaitIn(all), l.linger(settled))
}

// connections returns how many connections of the service the director has sent to the server. It is 0 while the server
// is not in the table.
func (l *laboratory) connections(v virtualService, s *realServer) (int, error) {
	if v.outside {
		return haproxyConnections(v, s)
	}
	return ipvsConnections(v.addrPort(), s.address)
}
