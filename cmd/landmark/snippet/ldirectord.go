package snippet

import (
	"errors"
	"flag"
	"fmt"
	"path"
	"time"
)

const (
	// linePort is where landmarkd answers in lines, once it is told to.
	linePort = 19536

	// checkerTimeout is landmark-check's own deadline under ldirectord, in seconds.
	checkerTimeout = 1

	// checkTimeout is how long ldirectord waits for a check, in seconds. It is
	// well above landmark-check's own deadline, and above the second for which a
	// landmarkd that has only just started holds its answers.
	checkTimeout = 3
)

// ldirectord is LVS by ldirectord.
type ldirectord struct {
	lvs
	Check     choice
	Forward   choice
	Line      port
	CheckPath file
	Quiescent answer
}

func (l *ldirectord) Flags(flags *flag.FlagSet) {
	l.Check = choice{"external", []string{"external", "simpletcp"}}
	l.Forward = choice{"masq", []string{"masq", "gate", "ipip"}}
	l.Line = linePort
	l.Quiescent = true
	l.CheckPath = "/usr/local/bin/landmark-check"
	l.lvs.flags(flags)
	flags.Var(&l.Check, "check", "how it is checked: `external` (ldirectord runs landmark-check) or simpletcp (it asks for a line, which takes landmarkd -line)")
	flags.Var(&l.Forward, "forward", "how packets reach real servers: `masq`, gate or ipip")
	flags.Var(&l.Line, "line", "the `PORT` of landmarkd's -line, for -check simpletcp")
	flags.Var(&l.CheckPath, "check-path", "the `PATH` of landmark-check, for -check external")
	flags.Var(&l.Quiescent, "quiescent", "take a server out by weight 0, which leaves its connections to finish; =no to remove it")
}

func (l *ldirectord) Configuration() (string, error) {
	if err := l.check(); err != nil {
		return "", err
	}
	return write("ldirectord.cf.tmpl", l)
}

func (l *ldirectord) check() error {
	if err := l.lvs.check(); err != nil {
		return err
	}
	if l.Interval%time.Second != 0 {
		return fmt.Errorf("-interval %v is not in whole seconds, and ldirectord knows no others", l.Interval)
	}
	if path.Base(string(l.CheckPath)) != "landmark-check" {
		return errors.New("-check-path does not end in landmark-check, which the link to it lies beside")
	}
	if l.Forward.word != "masq" {
		return l.checkDirect(l.Forward.word)
	}
	return nil
}

// The template's words.

// Family is what ldirectord adds to the words for addresses.
func (l *ldirectord) Family() string {
	if l.Virtual.Addr().Is6() {
		return "6"
	}
	return ""
}

// CheckLink is the link through which landmark-check knows what it is asked.
func (l *ldirectord) CheckLink() string {
	return path.Join(path.Dir(string(l.CheckPath)), "ldirectord-"+string(l.Service))
}

func (l *ldirectord) CheckTimeout() int { return checkTimeout }

func (l *ldirectord) IntervalSeconds() int { return wholeSeconds(l.Interval) }

// FailureCount is how many checks have to fail one after the other: the first,
// and all those within the patience.
func (l *ldirectord) FailureCount() int {
	return 1 + int((l.Patience+l.Interval-1)/l.Interval)
}

// HangOut is how many seconds after landmarkd knows of a hang the server is out,
// at most, and SilenceOut how many after its machine fell silent.
func (l *ldirectord) HangOut() int { return l.FailureCount() * l.IntervalSeconds() }

func (l *ldirectord) SilenceOut() int {
	timeout := checkTimeout
	if l.Check.word == "external" {
		timeout = checkerTimeout
	}
	return l.FailureCount() * (l.IntervalSeconds() + timeout)
}
