package snippet

import (
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// retries is how often keepalived repeats a check that was not answered, spread
	// over the patience. With more, a silent machine stays in for longer; with fewer,
	// lost datagrams take a server out.
	retries = 3

	// watchPatience is how long landmark-watch tolerates silence.
	watchPatience = 3 * time.Second

	// miscMargin is how many seconds longer than its own timeout keepalived lets
	// landmark-check run. When keepalived kills it, the weight stays wrong.
	miscMargin = 5
)

// keepalived is LVS by keepalived 2.2.7 or later. Every server has a UDP_CHECK, whatever
// else checks it, except with TCP_CHECK, which is for directors that no datagram
// reaches. To keepalived "Script errors aren't server errors" (its source): a
// child that cannot execute landmark-check exits with 0. And a missing track file
// reads as 0.
type keepalived struct {
	lvs
	bfdTimes
	Check     choice
	Forward   choice
	Monitor   port
	Gate      port // 0 = none
	Dir       file
	CheckPath file
	Director  address
}

func (k *keepalived) Flags(flags *flag.FlagSet) {
	k.Check = choice{"udp", []string{"udp", "misc", "file", "tcp", "bfd"}}
	k.Forward = choice{"NAT", []string{"NAT", "DR", "TUN"}}
	k.Monitor = lmp.Port
	k.Dir = "/run/landmark-watch"
	k.CheckPath = "/usr/local/bin/landmark-check"
	k.lvs.flags(flags)
	flags.Var(&k.Check, "check", "the `METHOD` of the check: udp (keepalived sends a datagram), misc (it runs landmark-check: weights, and a hang is out at once), file (it reads what landmark-watch writes: weights, within milliseconds), tcp (it connects to the service's gate, where only TCP passes), or bfd (landmarkd sends it changes itself: no weights, within milliseconds)")
	flags.Var(&k.Forward, "forward", "the `METHOD` by which packets reach real servers: NAT, DR or TUN")
	flags.Var(&k.Monitor, "monitor", "the `PORT` of landmarkd's -monitor")
	flags.Var(&k.Gate, "gate", "the `PORT` of the service's gate in landmarkd's configuration, for -check tcp")
	flags.Var(&k.Dir, "dir", "the `DIRECTORY` that landmark-watch writes to, for -check file")
	flags.Var(&k.CheckPath, "check-path", "the `PATH` of landmark-check, for -check misc")
	flags.Var(&k.Director, "director", "the `ADDRESS` from which this director sends packets to the real servers, for -check bfd")
}

func (k *keepalived) Configuration() (string, error) {
	if err := k.validate(); err != nil {
		return "", err
	}
	request, err := k.request()
	if err != nil {
		return "", err
	}
	return write("keepalived.conf.tmpl", struct {
		*keepalived
		Payload, RequireReply string
		AnswerLength          int
	}{k, request, serving(), lmp.HeaderLength})
}

func (k *keepalived) validate() error {
	if err := k.lvs.validate(); err != nil {
		return err
	}
	if check := k.Check.word; (check == "udp" || check == "tcp" || check == "bfd") && k.Weight > 1 {
		return fmt.Errorf("-weight %d needs -check misc or file: a %s_CHECK has no weights", k.Weight, strings.ToUpper(check))
	}
	if k.Check.word == "tcp" && k.Gate == 0 {
		return errors.New("-check tcp needs -gate PORT: the port of the service's gate in landmarkd's configuration")
	}
	if k.Check.word == "bfd" {
		if !k.Director.IsValid() {
			return errors.New("which address does the director send from? Give -director ADDRESS, for -check bfd")
		}
		if err := validateSessions("director", k.Director, k.hosts()); err != nil {
			return err
		}
		if err := k.setPatience(k.Patience); err != nil {
			return err
		}
	}
	if k.Forward.word != "NAT" {
		return k.validatePorts(k.Forward.word)
	}
	return nil
}

// The methods from here on are for the template.

// Hosts returns the addresses of the real servers, each once.
func (k *keepalived) Hosts() []netip.Addr { return k.hosts() }

// Peer returns the address that is the peer in landmarkd's configuration.
func (k *keepalived) Peer() netip.Addr { return k.Director.Addr }

// BFDInstance returns the name of a real server's BFD instance, unique to the address.
func (k *keepalived) BFDInstance(server netip.Addr) string {
	if server.Is4() {
		return "rs-" + server.String()
	}
	// The name may have 31 characters, and an address may have more.
	sum := fnv.New64a()
	sum.Write(server.AsSlice())
	return fmt.Sprintf("rs-%016x", sum.Sum64())
}

func (k *keepalived) ConnectTimeout() time.Duration { return answerTimeout }

func (k *keepalived) Retries() int { return retries }

func (k *keepalived) DelayBeforeRetry() time.Duration {
	return (k.Patience/retries + time.Millisecond - 1).Truncate(time.Millisecond)
}

// HangOut returns the longest time from when landmarkd detects a hang until the server
// is out, in words.
func (k *keepalived) HangOut() string {
	switch k.Check.word {
	case "misc":
		return seconds(k.Interval) + " s"
	case "file", "bfd":
		return "a few milliseconds"
	}
	return seconds(k.Interval+retries*k.DelayBeforeRetry()) + " s"
}

// SilenceOut returns the longest time from when a machine falls silent until the server
// is out, in words.
func (k *keepalived) SilenceOut() string {
	switch k.Check.word {
	case "misc":
		return seconds(k.Interval+k.Patience) + " s"
	case "file":
		return seconds(watchPatience) + " s"
	case "bfd":
		return seconds(k.BFDSilence()) + " s"
	}
	return seconds(k.Interval+(retries+1)*answerTimeout+retries*k.DelayBeforeRetry()) + " s"
}

// TrackFile returns the name of a real server's track file, for keepalived and for
// landmark-watch. It is unique to the address, and has only characters that are plain
// to both.
func (k *keepalived) TrackFile(server netip.Addr) string {
	return string(k.Service) + "-" + strings.ReplaceAll(server.String(), ":", "_")
}

// TrackFiles returns the track files of all real servers.
func (k *keepalived) TrackFiles() []string {
	var names []string
	for _, h := range k.hosts() {
		names = append(names, k.TrackFile(h))
	}
	return names
}

// LandmarkCheck returns the command line that checks a real server.
func (k *keepalived) LandmarkCheck(server netip.Addr) string {
	command := fmt.Sprintf("%s -as keepalived -addr %s -service %s -timeout %s", k.CheckPath, k.monitorOf(server), k.Service, k.Patience)
	if k.Weight > 1 {
		command += fmt.Sprintf(" -weight %d", k.Weight)
	}
	return command
}

func (k *keepalived) MiscTimeout() int { return wholeSeconds(k.Patience) + miscMargin }

// Targets returns landmark-watch's -target for each landmarkd.
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

// monitorOf returns the -monitor address of the landmarkd on a real server.
func (k *keepalived) monitorOf(server netip.Addr) string {
	return net.JoinHostPort(server.String(), strconv.Itoa(int(k.Monitor)))
}
