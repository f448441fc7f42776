package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// ldirectordChecks starts an ldirectord that checks the real servers, with its snippet.
func ldirectordChecks(check string, quiescent bool) starter {
	return func(l *lab, v virtualService) error {
		forward := "masq"
		if v.direct {
			forward = "gate"
		}
		configuration, err := l.snippet("ldirectord", v, "-check", check, "-forward", forward,
			"-check-path", checkPath, "-quiescent="+strconv.FormatBool(quiescent))
		if err != nil {
			return err
		}
		return l.startLdirectord(v, configuration)
	}
}

// startLdirectord runs Debian's ldirectord on the director, as the package's start script does. It goes into the background
// by itself. Without PERLIO it would set that and execute itself again, which is slow.
func (l *lab) startLdirectord(v virtualService, configuration string) error {
	configuration = fmt.Sprintf("logfile=%q\n", filepath.Join(logs, "ldirectord-"+v.name)) + configuration
	path := filepath.Join("/run", "ldirectord-"+v.name+".cf")
	if err := os.WriteFile(path, []byte(configuration), 0o644); err != nil {
		return fmt.Errorf("writing ldirectord's configuration: %w", err)
	}
	_, err := l.director.start("ldirectord-"+v.name+"-start", append(os.Environ(), "PERLIO=perlio"), "ldirectord", path, "start")
	return err
}
