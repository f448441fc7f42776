package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// snippet returns what `landmark snippet` prints for a program that balances the service. So every way is configured as
// users configure it.
func (l *lab) snippet(program string, v virtualService, arguments ...string) (string, error) {
	var addresses []string
	for _, s := range l.servers() {
		addresses = append(addresses, s.address)
	}
	return printSnippet(l.program("landmark"), l.speed.Timeout, program, v.addrPort().String(), addresses, arguments...)
}

// printSnippet runs landmark to print a snippet for real servers at the addresses.
func printSnippet(landmark string, timeout time.Duration, program, virtual string, addresses []string, arguments ...string) (string, error) {
	arguments = append([]string{"snippet", program, "-service", "epg", "-virtual", virtual, "-patience", timeout.String()}, arguments...)
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
