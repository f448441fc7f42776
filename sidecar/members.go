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

// membersFile is the name of the file with the processes of each service and the
// drains of operators. It is in the directory of the agent socket, or of the admin
// socket if there is no agent socket.
const membersFile = "members.json"

// notifyFile is the name of the file with what programs have said by notifications. It
// is in the same directory.
const notifyFile = "notify.json"

// bfdFile is the name of the file with the intervals of BFD peers, in the same directory.
const bfdFile = "bfd.json"

// bootFile returns the path of a file of that directory, "" if there is none, or if another
// landmarkd keeps such a file there. Without the file, a restart has the effect.
func (s *Sidecar) bootFile(c Config, name, effect string) string {
	beside := cmp.Or(c.AgentSocket, c.NotifySocket, c.AdminSocket)
	if beside == "" {
		return ""
	}
	path := filepath.Join(filepath.Dir(beside), name)
	lock, err := socket.Lock(path + ".lock")
	if err != nil {
		s.logger.Warn("a restart will "+effect+"; give the agent socket a directory of its own", "why", err)
		return ""
	}
	s.closers = append(s.closers, lock)
	return path
}

// restoreMembers restores the registry from the members file. Without the file the
// sidecar works, but a restart forgets processes and drains.
func (s *Sidecar) restoreMembers(c Config, services *registry.Registry) error {
	beside := cmp.Or(c.AgentSocket, c.AdminSocket)
	if beside == "" {
		return nil
	}
	path := filepath.Join(filepath.Dir(beside), membersFile)
	lock, err := socket.Lock(path + ".lock")
	if err != nil {
		s.logger.Warn("a restart will forget processes and drains; give the agent socket a directory of its own", "why", err)
		return nil
	}
	s.closers = append(s.closers, lock)
	s.members = members.New(path, s.logger)
	services.Restore(s.members.Read())
	return nil
}

// writeMembers writes the members file on every change until stop is called, and
// once more then. Call stop after the intake has ended, so that the file includes
// the last goodbyes.
func (s *Sidecar) writeMembers() (stop func()) {
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

// syncMembers returns once the members file includes all changes made so far.
func (s *Sidecar) syncMembers(ctx context.Context) error {
	if s.members == nil {
		return fmt.Errorf("landmarkd has no %s", membersFile)
	}
	return s.members.Sync(ctx)
}

// forgetInterval is the shortest time between two runs of forgetCheckers.
const forgetInterval = time.Second

// forgetCheckers forgets the checkers of services that were dropped, until ctx is
// done.
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
