package snippet

import (
	"errors"
	"flag"
	"path"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// checkerTimeout is landmark-check's own timeout under ldirectord, which lets it run
// for longer.
const checkerTimeout = time.Second

// ldirectord is LVS by ldirectord.
type ldirectord struct {
	lvs
	Check     choice
	Forward   choice
	Line      port
	CheckPath file
	Quiescent yesNo
}

func (l *ldirectord) Flags(flags *flag.FlagSet) {
	l.Check = choice{"external", []string{"external", "simpletcp"}}
	l.Forward = choice{"masq", []string{"masq", "gate", "ipip"}}
	l.Line = contract.LinePort
	l.Quiescent = true
	l.CheckPath = "/usr/local/bin/landmark-check"
	l.lvs.flags(flags)
	flags.Var(&l.Check, "check", "the `METHOD` of the check: external (ldirectord runs landmark-check) or simpletcp (the line protocol, which needs landmarkd -line)")
	flags.Var(&l.Forward, "forward", "the `METHOD` by which packets reach real servers: masq, gate or ipip")
	flags.Var(&l.Line, "line", "the `PORT` of landmarkd's -line, for -check simpletcp")
	flags.Var(&l.CheckPath, "check-path", "the `PATH` of landmark-check, for -check external")
	flags.Var(&l.Quiescent, "quiescent", "take a server out by weight 0, so that its connections can finish; =no removes it")
}

func (l *ldirectord) Configuration() (string, error) {
	if err := l.validate(); err != nil {
		return "", err
	}
	return write("ldirectord.cf.tmpl", l)
}

func (l *ldirectord) validate() error {
	if err := l.lvs.validate(); err != nil {
		return err
	}
	if err := l.validateWholeSeconds("ldirectord"); err != nil {
		return err
	}
	if path.Base(string(l.CheckPath)) != "landmark-check" {
		return errors.New("-check-path does not end in landmark-check: the link is made beside it, to that name")
	}
	if l.Forward.word != "masq" {
		return l.validatePorts(l.Forward.word)
	}
	return nil
}

// The methods from here on are for the template.

// Family returns the suffix of ldirectord's keywords for addresses.
func (l *ldirectord) Family() string {
	if l.Virtual.Addr().Is6() {
		return "6"
	}
	return ""
}

// CheckLink returns the link whose name gives landmark-check the service.
func (l *ldirectord) CheckLink() string {
	return path.Join(path.Dir(string(l.CheckPath)), "ldirectord-"+string(l.Service))
}

func (l *ldirectord) CheckTimeout() time.Duration { return answerTimeout }

// SilenceOut returns the longest time from when a machine falls silent until the server
// is out, if all others answer.
func (l *ldirectord) SilenceOut() time.Duration { return l.silenceOut(l.SilentCheck()) }

// SilentCheck returns how long the check of a silent server takes.
func (l *ldirectord) SilentCheck() time.Duration {
	if l.Check.word == "external" {
		return checkerTimeout
	}
	return answerTimeout
}
