package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// attackerRole is the argument with which this program is an attacker: a process
// of its own, of another user where that can be.
const attackerRole = "attacker"

const (
	// stranger is the first of the users that attack: they own nothing.
	stranger = 65000
	// foreign is the loopback address from which attackers connect, so that to
	// landmarkd they are another host than the honest checkers.
	foreign = "127.0.0.66"
)

// attackers are what an attacker can do, by name. Each goes on until it is killed.
var attackers = map[string]func(ctx context.Context, target string) error{
	"report flood":        floodReports,
	"connect loop":        connectInALoop,
	"names":               takeNames,
	"flapping":            flap,
	"unfinished messages": sendUnfinishedMessages,
	"agent connections":   holdAgentConnections,
	"silent":              holdSilentConnections,
	"unknown names":       askForUnknownNames,
	"long names":          watchLongNames,
	"unfinished requests": sendUnfinishedRequests,
	"rapid reset":         resetRapidly,
	"metadata":            sendMetadata,
	"pings":               floodPings,
	"settings":            floodSettings,
	"half-open":           holdHalfOpen,
	"deaf watch":          watchDeaf,
	"mutated frames":      sendMutatedFrames,
}

// runAttacker is the attacker's process.
func runAttacker(args []string) error {
	if len(args) != 2 || attackers[args[0]] == nil {
		return fmt.Errorf("usage: attack %s NAME TARGET", attackerRole)
	}
	// One processor at most, so that what is measured is landmarkd, and not how
	// the kernel shares two processors among four busy threads.
	runtime.GOMAXPROCS(1)
	return attackers[args[0]](context.Background(), args[1])
}

// attack starts an attacker as the user, if this is root, else as its own.
func (s *scene) attack(name, target string, uid uint32) *process {
	// The user may not search the directory that the program lies in.
	cmd := exec.Command("/proc/self/exe", attackerRole, name, target)
	cmd.Dir = "/"
	s.users[uid] = true
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
	p, err := start(cmd, true)
	s.must(err)
	s.others = append(s.others, p)
	return p
}

// dialForeign connects from the attackers' own address, or to a Unix socket.
func dialForeign(ctx context.Context, target string) (net.Conn, error) {
	if target[0] == '/' {
		return new(net.Dialer).DialContext(ctx, "unix", target)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(foreign)}, Timeout: 5 * time.Second}
	return d.DialContext(ctx, "tcp", target)
}

// each runs f n times at once, and again whenever it returns.
func each(ctx context.Context, n int, f func(ctx context.Context, i int)) error {
	for i := range n {
		go func() {
			for ctx.Err() == nil {
				f(ctx, i)
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	<-ctx.Done()
	return nil
}
