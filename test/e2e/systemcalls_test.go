//go:build e2e

package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// systemCalls is how many system calls an answer may cost landmarkd if requests come one by
// one: over UDP recvmmsg and sendmmsg, over TCP read, write and the epoll_wait of the loop,
// and the two of Go's scheduler that look for work before the thread sleeps, and then sleep.
var systemCalls = map[string]float64{"udp": 4.5, "tcp": 5.5}

// How many system calls an answer costs does not depend on how fast the machine is. What
// landmarkd does anyway is subtracted. The scheduler sometimes does more, so the median
// counts.
func TestSystemCallsOfAnAnswer(t *testing.T) {
	e := newEnv(t)
	e.epg("1s")
	for network, limit := range systemCalls {
		t.Run(network, func(t *testing.T) { testSystemCalls(t, e, network, limit) })
	}
}

func testSystemCalls(t *testing.T, e *env, network string, limit float64) {
	conn, err := net.Dial(network, e.monitor)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const answers = 300
	var each [7]float64
	for i := range each {
		var took time.Duration
		calls := e.sidecar.countSystemCalls(func() {
			began := time.Now()
			for nonce := range uint64(answers) {
				check(t, conn, nonce+1)
				time.Sleep(time.Millisecond) // until landmarkd waits for the next one
			}
			took = time.Since(began)
		})
		calls -= e.sidecar.countSystemCalls(func() { time.Sleep(took) })
		each[i] = float64(calls) / answers
	}
	slices.Sort(each[:])
	t.Logf("system calls for an answer: %.2f", each)
	if median := each[len(each)/2]; median > limit {
		t.Errorf("an answer costs %.2f system calls, want at most %v", median, limit)
	}
}

// check sends a CHECK and receives its answer.
func check(t *testing.T, conn net.Conn, nonce uint64) {
	t.Helper()
	q, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), Nonce: nonce}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(q); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(testTimeout))
	in := make([]byte, lmp.MaxDatagram)
	n, err := conn.Read(in)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := lmp.ParseAnswer(in[:n]); err != nil || a.Nonce != nonce || a.Status != lmp.StatusServing {
		t.Fatalf("the answer is %+v, %v", a, err)
	}
}

// countSystemCalls returns how many system calls the process makes during f.
func (p *process) countSystemCalls(f func()) int {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "calls")
	strace := start(p.t, debian(p.t, "strace", "strace"), "-f", "-c", "-o", file, "-p", strconv.Itoa(p.cmd.Process.Pid))
	strace.awaitLine("ttach") // "attached", or "attach: " and an error
	if strace.count("not permitted") > 0 {
		p.t.Skip("strace may not trace other processes here:", strace.written())
	}
	f()
	strace.signal(syscall.SIGINT)
	<-strace.exited
	table, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")
	// % time, seconds, usecs/call, calls, maybe errors, "total"
	head, total := strings.Fields(lines[0]), strings.Fields(lines[len(lines)-1])
	if len(total) < 5 || total[len(total)-1] != "total" || !slices.Contains(head, "usecs/call") {
		p.t.Fatalf("strace printed\n%s", table)
	}
	calls, err := strconv.Atoi(total[3])
	if err != nil {
		p.t.Fatal(err)
	}
	return calls
}
