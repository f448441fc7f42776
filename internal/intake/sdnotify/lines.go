package sdnotify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/landmark-health/landmark/internal/bootfile"
)

// This file is the format of the file: JSON objects, each in a line of its own. The first
// is the header. Each other one is a savedProcess; of two of the same process, the one
// with the greater At is the newer.

// fileVersion is the version of the format. landmarkd ignores files of other ones.
const fileVersion = 2

type header struct {
	Version int    `json:"version"`
	Boot    string `json:"boot"`
}

// encode returns the contents of a file with the processes.
func encode(processes []savedProcess) ([]byte, error) {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return nil, err
	}
	contents, err := line(header{Version: fileVersion, Boot: boot})
	for i := range processes {
		process, processErr := line(&processes[i])
		contents, err = append(contents, process...), errors.Join(err, processErr)
	}
	return contents, err
}

// appendProcess appends a line.
func (f *file) appendProcess(p *savedProcess) {
	b, err := line(p)
	if err != nil {
		panic(fmt.Sprintf("sdnotify: a process cannot be encoded: %v", err)) // a bug
	}
	f.append(b)
}

// line returns the line of a value.
func line(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}

// decode parses the contents of a file, read in the given boot. It ignores a last line
// without an end: landmarkd was killed while it wrote that, so it reported nothing of it.
func decode(b []byte, boot string) ([]savedProcess, error) {
	first, others, _ := bytes.Cut(b, []byte("\n"))
	var h header
	switch err := json.Unmarshal(first, &h); { // other versions have other fields
	case err != nil:
		return nil, fmt.Errorf("it is damaged: %w", err)
	case h.Version != fileVersion:
		return nil, fmt.Errorf("it has version %d, not %d", h.Version, fileVersion)
	case h.Boot != boot:
		return nil, errors.New("it is from another boot of the machine")
	}
	var all []savedProcess
	places := make(map[key]int)
	for line := range bytes.Lines(others) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var p savedProcess
		if err := parse(line, &p); err != nil {
			return nil, err
		}
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		if place, known := places[key{p.Service, p.Replaces}]; known && p.Replaces > 0 {
			all[place].Left = true
		}
		k := key{p.Service, p.PID}
		switch place, known := places[k]; {
		case known && all[place].Left && p.Whole: // its session is newer than those of the others
			places[k] = len(all)
			all = append(all, p)
		case known && !all[place].update(&p):
			return nil, fmt.Errorf("it is damaged: the process %d of %s has too many landmarks", p.PID, p.Service)
		case !known && p.Whole:
			places[k] = len(all)
			all = append(all, p)
		}
	}
	present := all[:0]
	for _, p := range all {
		if !p.Left {
			present = append(present, p)
		}
	}
	return present, nil
}

// parse parses one line.
func parse(line []byte, v any) error {
	reader := json.NewDecoder(bytes.NewReader(line))
	reader.DisallowUnknownFields()
	if err := reader.Decode(v); err != nil {
		return fmt.Errorf("it is damaged: %w", err)
	}
	if _, err := reader.Token(); err != io.EOF {
		return errors.New("it is damaged: a line has more than one object")
	}
	return nil
}
