package registry

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// arguments are the words after a command's verb: words alone, and key=value.
type arguments struct {
	t     *testing.T
	words []string
}

func (a arguments) has(word string) bool { return slices.Contains(a.words, word) }

func (a arguments) value(key string) string {
	for _, w := range a.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v
		}
	}
	return ""
}

// uid returns the value of "uid", or else that of an unprivileged user.
func (a arguments) uid() (uid uint32) {
	if v := a.value("uid"); v != "" {
		fmt.Sscan(v, &uid)
		return uid
	}
	return 1000
}

func (a arguments) duration(key string) time.Duration {
	if v := a.value(key); v != "" {
		return a.parse(v)
	}
	return 0
}

func (a arguments) parse(duration string) time.Duration {
	d, err := time.ParseDuration(duration)
	if err != nil {
		a.t.Fatal(err)
	}
	return d
}

// memberships returns the arguments of a restore command.
func (a arguments) memberships() []Membership {
	var all []Membership
	for service := range strings.SplitSeq(strings.Join(a.words, " "), "/") {
		words := strings.Fields(service)
		m := Membership{Service: words[0], Owned: true, UID: 1000}
		for _, word := range words[1:] {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "uid":
				fmt.Sscan(value, &m.UID)
			case "drained":
				m.Drain = &OrderedDrain{}
			case "until_gone":
				m.Drain = &OrderedDrain{UntilGone: true}
			default:
				m.Members = append(m.Members, a.member(word))
			}
		}
		all = append(all, m)
	}
	return all
}

func (a arguments) member(word string) Member {
	name, state, _ := strings.Cut(word, ":")
	m := Member{Instance: name}
	key, away, _ := strings.Cut(state, "=")
	switch key {
	case "lost":
		m.State, m.Away = MemberLost, a.parse(away)
	case "stopped":
		m.State, m.Away = MemberStopped, a.parse(away)
	case "newcomer":
		m.Newcomer = true
	case "leaving":
		m.Leaving = true
	}
	return m
}

// name returns the name to look up.
func name(word string) []byte {
	if word == "all" {
		return nil
	}
	return []byte(word)
}
