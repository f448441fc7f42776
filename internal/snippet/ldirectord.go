package snippet

import (
	"errors"
	"flag"
	"path"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// checkerTimeout is landmark-check's own deadline under ldirectord, which waits
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
	if err := l.checkWholeSeconds("ldirectord"); err != nil {
		return err
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

func (l *ldirectord) CheckTimeout() time.Duration { return answerTimeout }

// SilenceOut is how long after its machine fell silent the server is out, at
// most.
func (l *ldirectord) SilenceOut() time.Duration {
	if l.Check.word == "external" {
		return l.silenceOut(checkerTimeout)
	}
	return l.silenceOut(answerTimeout)
}
