// Package config reads landmarkd's configuration file: how each service is to
// be judged and asked.
//
// The file is YAML 1.2. What each key means stands in docs/configuration.md;
// which keys there are, and what they take, in [serviceKeys], [landmarkKeys]
// and [hostKeys]. The reader walks the parsed document by these tables itself,
// rather than have it decoded into structs, so that every error can name the
// path, line and column of what is wrong and say what to write instead.
package config

import (
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxSize is how long a file may be, in bytes. A thousand services with every
// key are a third of it.
const maxSize = 1 << 20

// Read reads the policies of the services that a configuration file names, by
// their names. A key that a service leaves out is [registry.DefaultPolicy]'s. A
// file with nothing in it names no services.
//
// The error tells everything that is wrong with the file, up to ten things: one
// or more of
//
//	FILE:LINE:COLUMN: PATH: what is wrong, and what to write
//	    LINE | the line
//	         |     ^
func Read(path string) (map[string]registry.Policy, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	return parse(path, src)
}

// readFile returns what stands in the file.
func readFile(path string) ([]byte, error) {
	// Looked at before it is opened: opening a pipe would wait for its writer.
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

// parse reads the text of a file of that name.
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

// readServices reads what stands under services:.
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
		r.fail(n, at, "are %d: %d at most", len(*services), registry.MaxServices)
	}
}

// readLandmarks reads what stands under a service's landmarks:.
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
