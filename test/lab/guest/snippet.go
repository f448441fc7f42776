package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// snippet is what `landmark snippet` prints for a program that is to balance the service: no way here is checked otherwise
// than users are told to.
func (l *laboratory) snippet(program string, v virtualService, arguments ...string) (string, error) {
	var addresses []string
	for _, s := range l.servers() {
		addresses = append(addresses, s.address)
	}
	return printSnippet(l.program("landmark"), l.pace.Patience, program, v.addrPort().String(), addresses, arguments...)
}

// printSnippet runs landmark to print a snippet for real servers at the addresses.
func printSnippet(landmark string, patience time.Duration, program, virtual string, addresses []string, arguments ...string) (string, error) {
	arguments = append([]string{"snippet", program, "-service", "epg", "-virtual", virtual, "-patience", patience.String()}, arguments...)
	for _, a := range addresses {
		arguments = append(arguments, "-real", fmt.Sprintf("%s:%d", a, epgPort))
	}
	text, err := exec.Command(landmark, arguments...).Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("landmark %s: %w", strings.Join(arguments, " "), err)
	}
	return string(text), nil
}
