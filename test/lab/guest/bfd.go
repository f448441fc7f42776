package main

import (
	"fmt"
	"strings"
	"syscall"
)

// startSessions adds the BFD sessions of the snippet to the sidecars' configurations, and has them read again.
func (l *lab) startSessions(_ virtualService, snippet string) error {
	for _, s := range l.servers() {
		session, err := sessionOf(snippet, s.address)
		if err != nil {
			return err
		}
		err = l.play(
			func() error { return s.configure("bfd:\n" + session + "\n") },
			l.awaitSidecar(s), // a SIGHUP before it is ready would end it
			func() error { return s.sidecar.signal(syscall.SIGHUP) })
		if err != nil {
			return err
		}
	}
	return nil
}

// sessionOf returns the BFD session of the server at the address, from the comment of a snippet that has those of all
// servers.
func sessionOf(snippet, address string) (string, error) {
	const more = "#     "
	_, sessions, _ := strings.Cut(snippet, more+"bfd:\n")
	for line := range strings.Lines(sessions) {
		session, is := strings.CutPrefix(line, more)
		if !is {
			break
		}
		if strings.Contains(session, fmt.Sprintf("local: %q", address)) {
			return strings.TrimSuffix(session, "\n"), nil
		}
	}
	return "", fmt.Errorf("the snippet has no BFD session of %s:\n%s", address, snippet)
}
