package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keepalivedChecks starts a keepalived that checks the real servers, with its snippet. beside starts what the snippet says to
// run besides keepalived; nil is nothing.
func keepalivedChecks(beside func(l *lab, v virtualService, snippet string) error, arguments ...string) starter {
	return func(l *lab, v virtualService) error {
		forward := "NAT"
		if v.direct {
			forward = "DR"
		}
		arguments := append([]string{"-forward", forward, "-dir", filepath.Join(watchDirectory, v.name), "-check-path", checkPath}, arguments...)
		if v.weight > 0 {
			arguments = append(arguments, "-weight", fmt.Sprint(v.weight))
		}
		configuration, err := l.snippet("keepalived", v, arguments...)
		if err != nil {
			return err
		}
		if beside != nil {
			if err := beside(l, v, configuration); err != nil {
				return err
			}
		}
		return l.startKeepalived(v, configuration)
	}
}

// keepalivedConnects starts a keepalived that does what most balancers do: it only opens a connection to the service's port.
func keepalivedConnects(loop, checker string) starter {
	return func(l *lab, v virtualService) error {
		var c strings.Builder
		fmt.Fprintf(&c, "virtual_server %s %d {\n%s  alpha\n  lb_algo rr\n  lb_kind NAT\n  protocol TCP\n", v.address, epgPort, loop)
		for _, s := range l.servers() {
			fmt.Fprintf(&c, "  real_server %s %d {\n    weight 1\n    TCP_CHECK {\n%s    }\n  }\n", s.address, epgPort, checker)
		}
		c.WriteString("}\n")
		return l.startKeepalived(v, c.String())
	}
}

// startKeepalived runs only the checkers, and BFD if they need it, of Debian's keepalived, on the director.
func (l *lab) startKeepalived(v virtualService, configuration string) error {
	path := filepath.Join("/run", "keepalived-"+v.name)
	if err := os.WriteFile(path+".conf", []byte(configuration), 0o644); err != nil {
		return fmt.Errorf("writing keepalived's configuration: %w", err)
	}
	k := &daemon{service: v.name, name: "keepalived-" + v.name, program: "keepalived", arguments: []string{"--check", "--dont-fork", "--log-console",
		"--log-detail", "--use-file", path + ".conf", "--pid", path + ".pid", "--checkers_pid", path + "-checkers.pid",
		"--bfd_pid", path + "-bfd.pid"}}
	l.keepalived = append(l.keepalived, k)
	return k.start(l.director)
}
