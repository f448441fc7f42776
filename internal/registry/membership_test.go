package registry

import (
	"fmt"
	"strings"
	"time"
)

// memberships reads what a restore command gives.
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

// memberships prints what would survive a restart.
func (tr *trace) memberships() string {
	var printed strings.Builder
	all, _ := tr.registry.Memberships()
	for _, m := range all {
		printed.WriteString(m.Service)
		if m.Owned {
			fmt.Fprintf(&printed, " uid=%d", m.UID)
		}
		if m.Drain != nil {
			fmt.Fprintf(&printed, " drained by %d, until gone %v", m.Drain.By, m.Drain.UntilGone)
		}
		for _, i := range m.Members {
			fmt.Fprintf(&printed, " %s", i.Instance)
			if i.State != MemberPresent {
				fmt.Fprintf(&printed, ":%s=%v", map[MemberState]string{MemberLost: "lost", MemberStopped: "stopped"}[i.State], i.Away.Round(time.Microsecond))
			}
			if i.Newcomer {
				printed.WriteString(":newcomer")
			}
			if i.Leaving {
				printed.WriteString(":leaving")
			}
		}
		printed.WriteString("\n")
	}
	return printed.String()
}
