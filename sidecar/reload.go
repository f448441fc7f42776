package sidecar

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/landmark-health/landmark/internal/config"
	"github.com/landmark-health/landmark/internal/frontend/gate"
	"github.com/landmark-health/landmark/internal/intake/sdnotify"
)

// Reload reads the configuration file again, and applies it to all services, gates and
// BFD sessions. If it cannot, the current configuration stays in effect, and the error
// says why. It may be called at any time.
func (s *Sidecar) Reload() (err error) {
	s.notifyReloading()
	defer func() { s.notifyReloaded(err) }()
	if s.file == "" {
		s.logger.Warn("no configuration to reload; start landmarkd with -config FILE")
		return nil
	}
	_, err = s.load()
	return err
}

// load reads the configuration file and applies it.
func (s *Sidecar) load() (file config.File, err error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	defer func() { s.reloads.count(err) }()
	file, err = config.Read(s.file, s.listeners...)
	if err != nil {
		return file, err
	}
	if err := s.limits.check(&file); err != nil {
		return file, fmt.Errorf("%s: %w", s.file, err)
	}
	if err := s.configureNotify(file.Notify); err != nil {
		return file, fmt.Errorf("%s: %w", s.file, err)
	}
	if err := s.bfd.Configure(file.Peerings); err != nil {
		return file, fmt.Errorf("%s: %w", s.file, errors.Join(err, s.configureNotify(s.loaded)))
	}
	s.loaded = file.Notify
	s.host.Configure(file.Services) // and the registry, with a first reading of the host
	s.recorder.Reloaded(s.file, file.Services)
	s.checkers.Retain(s.services.Names())
	s.configureGates(file.Gates)
	s.logger.Info("configuration loaded", "file", s.file, "services", len(file.Services))
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		if undeclared := s.services.UndeclaredOverrides(name); len(undeclared) > 0 {
			s.logger.Warn("the configuration names landmarks that no program of the service declares: correct their names",
				"service", name, "landmarks", undeclared)
		}
	}
	return file, nil
}

// configureNotify passes what the file says of notifications on.
func (s *Sidecar) configureNotify(configured map[string]config.Notify) error {
	services := make(map[string]sdnotify.Service, len(configured))
	for name, n := range configured {
		services[name] = sdnotify.Service(n)
	}
	return s.programs.Configure(services)
}

// configureGates passes the gates of the file on.
func (s *Sidecar) configureGates(configured []config.Gate) {
	gates := make([]gate.Gate, len(configured))
	for i, g := range configured {
		gates[i] = gate.Gate(g)
	}
	s.gates.Configure(gates)
}
