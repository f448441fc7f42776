package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// watchDirectory has a directory for the track files of each way.
const watchDirectory = "/run/landmark-watch"

// startWatcher starts the landmark-watch of the snippet for the way.
func (l *lab) startWatcher(v virtualService, snippet string) error {
	arguments, err := watchArguments(snippet)
	if err != nil {
		return err
	}
	w := &daemon{service: v.name, name: "landmark-watch-" + v.name, program: l.program("landmark-watch"), arguments: arguments}
	if err := os.MkdirAll(filepath.Join(watchDirectory, v.name), 0o755); err != nil {
		return fmt.Errorf("making the directory of track files: %w", err)
	}
	l.watchers = append(l.watchers, w)
	return w.start(l.director)
}

// watchArguments returns the arguments of landmark-watch in a snippet: a comment of a line with the directory, and one for
// each target.
func watchArguments(snippet string) ([]string, error) {
	const command, more = "#   landmark-watch ", "#     "
	_, rest, found := strings.Cut(snippet, command)
	if !found {
		return nil, fmt.Errorf("the snippet has no command of landmark-watch:\n%s", snippet)
	}
	first, rest, _ := strings.Cut(rest, "\n")
	arguments := strings.Fields(first)
	for line := range strings.Lines(rest) {
		target, is := strings.CutPrefix(line, more)
		if !is {
			break
		}
		arguments = append(arguments, strings.Fields(target)...)
	}
	return arguments, nil
}

// killWatchers kills every landmark-watch, like a crash.
func (l *lab) killWatchers() error {
	for _, w := range l.watchers {
		if err := w.running.kill(); err != nil {
			return err
		}
	}
	return nil
}

// startWatchers starts every landmark-watch again.
func (l *lab) startWatchers() error {
	for _, w := range l.watchers {
		if err := w.start(l.director); err != nil {
			return err
		}
	}
	return nil
}
