// Package config reads landmarkd's configuration file: the policy of each service.
//
// The file is YAML 1.2. docs/configuration.md explains each key; the tables
// [serviceKeys], [landmarkKeys] and [hostKeys] list the keys and their values. The
// reader walks the parsed document with these tables instead of decoding it into
// structs. So each error has the path, line and column of the problem, and says what
// to write instead.
package config

import (
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxSize is the largest size of a file, in bytes. A thousand services with every key
// take a third of it.
const maxSize = 1 << 20

// Read reads a configuration file. It returns the policies of the services by name.
// [registry.DefaultPolicy] has the values of keys that a service leaves out. An empty
// file has no services.
//
// The error lists up to ten problems, each as
//
//	FILE:LINE:COLUMN: PATH: what is wrong: what to do
//	    LINE | the line
//	         |     ^
func Read(path string) (map[string]registry.Policy, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return parse(path, src)
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
func parse(name string, src []byte) (map[string]registry.Policy, error) {
	r := newReader(name, src)
	services := make(map[string]registry.Policy)
	if body := r.document(); body != nil {
		fill(r, nil, body, fileKeys, &services)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	return services, nil
}

// readServices reads the value of services.
func readServices(r *reader, at path, n ast.Node, services *map[string]registry.Policy) {
	for _, e := range r.mapping(at, n) {
		p, found := registry.DefaultPolicy, len(r.problems)
		fill(r, at.to(e.name), e.value, serviceKeys, &p)
		if err := contract.CheckServiceName(e.name); err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		if err := checkHost(p); err != nil && len(r.problems) == found {
			r.fail(e.key, at.to(e.name), "%v", err)
		}
		(*services)[e.name] = p
	}
	if len(*services) > registry.MaxServices {
		r.fail(n, at, "has %d services: use %d at most", len(*services), registry.MaxServices)
	}
}

// readLandmarks reads the value of a service's landmarks.
func readLandmarks(r *reader, at path, n ast.Node, p *registry.Policy) {
	p.Landmarks = make(map[string]registry.Override)
	for _, e := range r.mapping(at, n) {
		var o registry.Override
		fill(r, at.to(e.name), e.value, landmarkKeys, &o)
		if err := contract.CheckLandmarkName(e.name); err != nil {
			r.fail(e.key, at.to(e.name), "%v", err)
			continue
		}
		p.Landmarks[e.name] = o
	}
}
