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

// attackerRole is the argument that makes this program an attacker. Under root, an
// attacker runs as another user.
const attackerRole = "attacker"

const (
	// attackerUID is the first of the users that attack. They own nothing.
	attackerUID = 65000
	// attackerIP is the loopback address from which attackers connect. To
	// landmarkd they are another host than the honest checkers.
	attackerIP = "127.0.0.66"
)

// attackers are the functions of attackers, by name. Each goes on until it is killed.
var attackers = map[string]func(ctx context.Context, target string) error{
	"report flood":            floodReports,
	"connect loop":            connectInALoop,
	"notification flood":      floodNotifications,
	"names":                   takeNames,
	"flapping":                flap,
	"unfinished messages":     sendUnfinishedMessages,
	"agent connections":       holdAgentConnections,
	"silent":                  holdSilentConnections,
	"gate flood":              floodGate,
	"hostile program":         answerBadly,
	"unknown names":           checkUnknownNames,
	"long names":              watchLongNames,
	"unfinished requests":     sendUnfinishedRequests,
	"rapid reset":             resetRapidly,
	"metadata":                sendMetadata,
	"pings":                   floodPings,
	"settings":                floodSettings,
	"half-open":               holdHalfOpen,
	"deaf watch":              watchWithoutReading,
	"small headers":           watchWithSmallHeaders,
	"mutated frames":          sendMutatedFrames,
	"DESCRIBE":                describeWithoutReading,
	"HTTP 10,000 connections": crowdHTTP,
	"HTTP slow requests":      sendSlowRequests,
	"HTTP slow bodies":        sendSlowBodies,
	"HTTP large requests":     sendLargeHTTPRequests,
	"HTTP slow readers":       readSlowly,
	"HTTP wrong requests":     sendWrongHTTPRequests,
	"HTTP unknown names":      checkUnknownNamesByHTTP,
	"HTTP passwords":          sendPasswords,
	"HTTP pages":              openPages,
	"HTTP metrics":            scrapeMetrics,
	"HTTP max age":            checkMaxAgeByHTTP,
	"BFD flood":               floodBFD,
	"BFD forgery":             forgeBFD,
	"stack flood":             floodStacks,
	"odd names":               changeOddly,
}

// runAttacker is the attacker's process.
func runAttacker(args []string) error {
	if len(args) != 2 || attackers[args[0]] == nil {
		return fmt.Errorf("usage: attack %s NAME TARGET", attackerRole)
	}
	// Use at most one processor. Otherwise the answers are late because the kernel
	// shares two processors among four busy threads.
	runtime.GOMAXPROCS(1)
	return attackers[args[0]](context.Background(), args[1])
}

// attack starts an attacker: under root as the given user, otherwise as this one.
func (s *scene) attack(name, target string, uid uint32) *process {
	// The user may not search the directory of the program.
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

// dialFromAttacker connects from attackerIP, or to a Unix socket.
func dialFromAttacker(ctx context.Context, target string) (net.Conn, error) {
	if target[0] == '/' {
		return new(net.Dialer).DialContext(ctx, "unix", target)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(attackerIP)}, Timeout: 5 * time.Second}
	return d.DialContext(ctx, "tcp", target)
}

// each runs f in n goroutines, and calls it again whenever it returns.
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
