package snippet

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// retries is how often keepalived asks again before it takes silence for a
	// failure, spread over the patience. More would make a machine that does not
	// even refuse stay in for longer, fewer would make lost datagrams count.
	retries = 3

	// watchPatience is how long landmark-watch bears silence.
	watchPatience = 3 * time.Second

	// checkerLeft is how much longer than landmark-check's own deadline keepalived
	// lets it run: the weight goes wrong for good when keepalived kills it.
	checkerLeft = 5
)

// keepalived is LVS by keepalived 2.2.7 or later. Whatever else checks a server,
// a UDP_CHECK does too: "Script errors aren't server errors" says the source of
// keepalived, and a child that cannot execute landmark-check exits with 0; and
// a track file that is not there reads as 0.
type keepalived struct {
	lvs
	Check     choice
	Forward   choice
	Monitor   port
	Dir       file
	CheckPath file
}

func (k *keepalived) Flags(flags *flag.FlagSet) {
	k.Check = choice{"udp", []string{"udp", "misc", "file"}}
	k.Forward = choice{"NAT", []string{"NAT", "DR", "TUN"}}
	k.Monitor = lmp.Port
	k.Dir = "/run/landmark-watch"
	k.CheckPath = "/usr/local/bin/landmark-check"
	k.lvs.flags(flags)
	flags.Var(&k.Check, "check", "how it is checked: `udp` (keepalived asks), misc (it runs landmark-check: weights, and a hang is out at once), or file (it reads what landmark-watch writes: in milliseconds)")
	flags.Var(&k.Forward, "forward", "how packets reach real servers: `NAT`, DR or TUN")
	flags.Var(&k.Monitor, "monitor", "the `PORT` of landmarkd's -monitor")
	flags.Var(&k.Dir, "dir", "the `DIRECTORY` that landmark-watch writes to, for -check file")
	flags.Var(&k.CheckPath, "check-path", "the `PATH` of landmark-check, for -check misc")
}

func (k *keepalived) Configuration() (string, error) {
	if err := k.check(); err != nil {
		return "", err
	}
	question, err := k.question()
	if err != nil {
		return "", err
	}
	return write("keepalived.conf.tmpl", struct {
		*keepalived
		Payload, RequireReply string
		AnswerLength          int
	}{k, question, serving(), lmp.HeaderLength})
}

func (k *keepalived) check() error {
	if err := k.lvs.check(); err != nil {
		return err
	}
	if k.Check.word == "udp" && k.Weight > 1 {
		return fmt.Errorf("-weight %d needs -check misc or file: a UDP_CHECK knows no weights", k.Weight)
	}
	if k.Forward.word != "NAT" {
		return k.checkDirect(k.Forward.word)
	}
	return nil
}

// The template's words.

func (k *keepalived) ConnectTimeout() time.Duration { return answerTimeout }

func (k *keepalived) Retries() int { return retries }

func (k *keepalived) DelayBeforeRetry() time.Duration {
	return (k.Patience/retries + time.Millisecond - 1).Truncate(time.Millisecond)
}

// HangOut is how long after landmarkd knows of a hang the server is out, at
// most, in words.
func (k *keepalived) HangOut() string {
	switch k.Check.word {
	case "misc":
		return seconds(k.Interval) + " s"
	case "file":
		return "some milliseconds"
	}
	return seconds(k.Interval+retries*k.DelayBeforeRetry()) + " s"
}

// SilenceOut is how long after its machine fell silent the server is out, at
// most, in words.
func (k *keepalived) SilenceOut() string {
	switch k.Check.word {
	case "misc":
		return seconds(k.Interval+k.Patience) + " s"
	case "file":
		return seconds(watchPatience) + " s"
	}
	return seconds(k.Interval+(retries+1)*answerTimeout+retries*k.DelayBeforeRetry()) + " s"
}

// TrackFile names the file that tells of a real server, for keepalived and for
// landmark-watch. No two addresses make the same name, and none has a character
// that either of them reads otherwise.
func (k *keepalived) TrackFile(server netip.Addr) string {
	return string(k.Service) + "-" + strings.ReplaceAll(server.String(), ":", "_")
}

// TrackFiles are those of all real servers.
func (k *keepalived) TrackFiles() []string {
	var names []string
	for _, h := range k.hosts() {
		names = append(names, k.TrackFile(h))
	}
	return names
}

// LandmarkCheck is the command line that asks about a real server.
func (k *keepalived) LandmarkCheck(server netip.Addr) string {
	command := fmt.Sprintf("%s -as keepalived -addr %s -service %s -timeout %s", k.CheckPath, k.monitorOf(server), k.Service, k.Patience)
	if k.Weight > 1 {
		command += fmt.Sprintf(" -weight %d", k.Weight)
	}
	return command
}

func (k *keepalived) MiscTimeout() int { return wholeSeconds(k.Patience) + checkerLeft }

// Targets are what landmark-watch is told of the real servers, one for each
// landmarkd.
func (k *keepalived) Targets() []string {
	var targets []string
	for _, h := range k.hosts() {
		target := fmt.Sprintf("%s=%s/%s", k.TrackFile(h), k.monitorOf(h), k.Service)
		if k.Weight > 1 {
			target += fmt.Sprintf(",weight=%d", k.Weight)
		}
		targets = append(targets, target)
	}
	return targets
}

// monitorOf is where the landmarkd on a real server is asked.
func (k *keepalived) monitorOf(server netip.Addr) string {
	return net.JoinHostPort(server.String(), strconv.Itoa(int(k.Monitor)))
}
