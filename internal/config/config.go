// Package config reads landmarkd's configuration file: the policy of each service,
// with its gate, its probe and its notify socket, and the BFD sessions.
//
// The file is YAML 1.2. docs/configuration.md explains each key; the tables
// [serviceKeys], [landmarkKeys], [hostKeys], [probeKeys], [stepKeys], [gateKeys] and
// [peeringKeys] list the keys and their values. The reader walks the parsed document with these tables instead of
// decoding it into structs. So each error has the path, line and column of the problem,
// and says what to write instead.
package config

import (
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxSize is the largest size of a file, in bytes. A thousand services with every key
// take a third of it.
const maxSize = 1 << 20

// File is what a configuration file says.
type File struct {
	// Services are the policies of the services by name. [registry.DefaultPolicy] has
	// the values of keys that a service leaves out.
	Services map[string]registry.Policy
	// Gates are the gates of the services, in the order of the file. No two have the
	// same port.
	Gates []Gate
	// Notify are the services with keys of their own for notifications, by name. No two
	// have the same socket.
	Notify map[string]Notify
	// Peerings are the BFD sessions, with the keys of their key files.
	Peerings []bfd.Peering
}

// Read reads a configuration file, and the key files that it names. No gate may have the port of a listener of
// landmarkd's own. An empty file has no services.
//
// The error lists up to ten problems, each as
//
//	FILE:LINE:COLUMN: PATH: what is wrong: what to do
//	    LINE | the line
//	         |     ^
func Read(path string, own ...Listener) (File, error) {
	src, err := readFile(path)
	if err != nil {
		return File{}, fmt.Errorf("reading configuration: %w", err)
	}
	return parse(path, src, own...)
}

// readFile returns the contents of the file.
func readFile(path string) ([]byte, error) {
	// Check the type first: opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(src) > maxSize {
		return nil, fmt.Errorf("%s is over 1 MiB long: is it the right file?", path)
	}
	return src, nil
}

// parse parses src, the contents of the file with that name.
func parse(name string, src []byte, own ...Listener) (File, error) {
	r := newReader(name, src)
	r.own = own
	file := File{Services: make(map[string]registry.Policy)}
	if body := r.document(); body != nil {
		fill(r, nil, body, fileKeys, &file)
	}
	if err := r.err(); err != nil {
		return File{}, err
	}
	return file, nil
}

// readServices reads the value of services.
func readServices(r *reader, at path, n ast.Node, file *File) {
	for _, e := range r.mapping(at, n) {
		s, found := service{Policy: registry.DefaultPolicy}, len(r.problems)
		fill(r, at.to(e.name), e.value, serviceKeys, &s)
		if err := contract.CheckServiceName(e.name); err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		if err := checkHost(s.Policy); err != nil && len(r.problems) == found {
			r.fail(e.key, at.to(e.name), "%v", err)
		}
		file.Services[e.name] = s.Policy
		if s.notify.Notify != (Notify{}) {
			file.addNotify(r, at.to(e.name).to("notify_socket"), e.name, s.notify)
		}
		if s.gate.node != nil {
			file.addGate(r, at.to(e.name).to("gate"), e.name, s.gate)
		}
	}
	if len(file.Gates) > MaxGates {
		r.fail(n, at, "has %d gates: use %d at most", len(file.Gates), MaxGates)
	}
	if probes := file.Probes(); probes > MaxProbes {
		r.fail(n, at, "has %d probes: use %d at most", probes, MaxProbes)
	}
	if sockets := file.NotifySockets(); sockets > MaxNotifySockets {
		r.fail(n, at, "has %d notify sockets: use %d at most, and -notify-socket for the others", sockets, MaxNotifySockets)
	}
	if len(file.Services) > registry.MaxServices {
		r.fail(n, at, "has %d services: use %d at most", len(file.Services), registry.MaxServices)
	}
}

// readLandmarks reads the value of a service's landmarks.
func readLandmarks(r *reader, at path, n ast.Node, s *service) {
	s.Landmarks = make(map[string]registry.Override)
	for _, e := range r.mapping(at, n) {
		var o registry.Override
		fill(r, at.to(e.name), e.value, landmarkKeys, &o)
		if err := contract.CheckLandmarkName(e.name); err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		s.Landmarks[e.name] = o
	}
}
