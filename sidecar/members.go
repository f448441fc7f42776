package sidecar

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/internal/members"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// membersFile is the name of the file that says which processes were there and
// what operators ordered. It lies beside the agents' socket, or beside the
// operators' if there is no agents' socket.
const membersFile = "members.json"

// restoreMembers takes what the members file holds, and keeps it from then on.
// Without it the sidecar works all the same: it only remembers nothing.
func (s *Sidecar) restoreMembers(c Config, services *registry.Registry) error {
	beside := cmp.Or(c.AgentSocket, c.AdminSocket)
	if beside == "" {
		return nil
	}
	path := filepath.Join(filepath.Dir(beside), membersFile)
	lock, err := socket.Lock(path + ".lock")
	if err != nil {
		s.logger.Warn("processes and drains are not remembered over a restart: give the agent socket a directory of its own", "why", err)
		return nil
	}
	s.closers = append(s.closers, lock)
	s.members = members.New(path, s.logger)
	services.Restore(s.members.Read())
	return nil
}

// keepMembers writes the members file until it is stopped, once more then: that
// must be after the intake has ended, for the last goodbyes.
func (s *Sidecar) keepMembers() (stop func()) {
	if s.members == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go s.members.Run(ctx, s.services)
	return func() {
		cancel()
		s.members.Wait()
	}
}

// syncMembers returns once what an operator ordered is in the members file.
func (s *Sidecar) syncMembers(ctx context.Context) error {
	if s.members == nil {
		return fmt.Errorf("landmarkd keeps no %s", membersFile)
	}
	return s.members.Sync(ctx)
}

// forgetInterval is how often at most the checkers of services that are gone are
// forgotten.
const forgetInterval = time.Second

// forgetCheckers forgets the checkers of services whose names were given back,
// until ctx is done.
func (s *Sidecar) forgetCheckers(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.services.Dropped():
			s.checkers.Retain(s.services.Names())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(forgetInterval):
		}
	}
}
