package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// notifyAttacks are what a local user can do on a notify socket.
func notifyAttacks() []attack {
	return []attack{
		{name: "notification flood", what: "2 users send 120,000 notifications a second together: garbage, forged ones, descriptors, new services", who: "local user", measured: true, play: floodedNotifications},
		{name: "restart, notified", what: "landmarkd is killed three times, with programs that report by notifications: serving, hung, frozen", who: "operator", play: restartNotified},
	}
}

// notifyPair starts programs that report by notifications: one that waits to send, one
// that tries again, and one that hangs.
func (s *scene) notifyPair() (hung *program) {
	s.notify("blocking", "block")
	s.notify("tried", "retry")
	hung = s.notify("quiet", "block")
	s.check("blocking", "tried", "quiet")
	for _, service := range []string{"blocking", "tried", "quiet"} {
		s.change(service, healthy, nil)
	}
	s.change("quiet", unhealthy, func() { hung.signal(syscall.SIGUSR1) })
	return hung
}

// notify starts an honest program that reports by notifications.
func (s *scene) notify(service, how string) *program {
	p, err := newProgram(s.sidecar.notify(), service, "1", "-notify", how)
	s.must(err)
	s.honest = append(s.honest, p)
	return p
}

func floodedNotifications(s *scene) {
	s.startPair()
	s.notifyPair()
	before := s.sidecar.descriptors()
	var floods []*process
	for user := range uint32(2) {
		floods = append(floods, s.attack("notification flood", s.sidecar.notify(), attackerUID+user))
	}
	s.runFor(3*time.Second, 15*time.Second)
	s.check("newcomer")
	s.change("newcomer", healthy, func() { s.notify("newcomer", "retry") })
	s.noteRate("notifications", floods...)
	for _, p := range floods {
		p.kill()
	}
	// Those of the attackers' services go with their processes.
	if !await(timeout, func() bool { return s.sidecar.descriptors() <= before+8 }) {
		s.fail("landmarkd has %d descriptors open after the flood, and had %d before", s.sidecar.descriptors(), before)
	}
}

func restartNotified(s *scene) {
	s.start()
	frozen := s.notify("frozen", "block")
	hung := s.notifyPair()
	s.check("frozen")
	s.change("frozen", healthy, nil)
	s.change("frozen", unhealthy, func() { frozen.signal(syscall.SIGSTOP) })
	for range 3 {
		s.setStrict("quiet", unhealthy)
		s.setStrict("frozen", unhealthy)
		s.restart()
		s.runFor(time.Second, 2*time.Second)
	}
	s.change("frozen", healthy, func() { frozen.signal(syscall.SIGCONT) })
	s.change("quiet", healthy, func() { hung.signal(syscall.SIGUSR2) })
}

// floodRate is how many notifications a second each of the two users sends.
const floodRate = 60_000

// floodNotifications sends notifications at the rate, if they are received as fast.
func floodNotifications(ctx context.Context, target string) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	corpus := []string{
		"READY=1", "X_LANDMARK_SERVICE=quiet\nREADY=1\nX_LANDMARK_REACH=main loop", "X_LANDMARK_SERVICE=blocking\nSTOPPING=1",
		"X_LANDMARK_SERVICE=tried\nWATCHDOG=trigger\nMAINPID=1", "X_LANDMARK_SERVICE=blocking\nX_LANDMARK_INSTANCE=1\nX_LANDMARK_CONDITION=main loop:0",
		"BARRIER=1", strings.Repeat("\x00\xff", 2000), strings.Repeat("STATUS=x\n", 400), strings.Repeat("a", 5000), "",
		"X_LANDMARK_SERVICE=mine\nREADY=1\nSTATUS=" + strings.Repeat("y", 3000), "X_LANDMARK_SERVICE=mine\nX_LANDMARK_DECLARE=a:condition\nX_LANDMARK_CONDITION=a:",
	}
	fds := make([]int, 250) // 253 are allowed
	for i := range fds {
		fds[i] = int(null.Fd())
	}
	var mu sync.Mutex // guards count
	count := newCounter("notifications")
	return each(ctx, 2, func(ctx context.Context, i int) {
		b, err := newNotifyBatch(target)
		if err != nil {
			return
		}
		defer b.close()
		random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i)))
		for n := 0; ctx.Err() == nil; n++ {
			for k := range notifyBatchSize {
				data, control := corpus[random.IntN(len(corpus))], []byte(nil)
				switch random.IntN(16) {
				case 0:
					data = fmt.Sprintf("X_LANDMARK_SERVICE=flood-%d-%d-%d\nREADY=1", i, n, k)
				case 1:
					data += fmt.Sprint(random.IntN(2), "\n") // of a condition that changes
				case 2:
					control = unix.UnixRights(fds[:1+random.IntN(len(fds))]...)
				}
				b.set(k, data, control)
			}
			sent := b.send()
			mu.Lock()
			count.add(sent)
			count.pace(floodRate)
			mu.Unlock()
		}
	})
}

// notifier is the main loop of an honest program that reports by notifications.
type notifier struct {
	fd   int
	name string
	to   *unix.SockaddrUnix
	wait bool // wait until there is space, and else try again at the next iteration
}

func newNotifier(socket, service, how string) (*notifier, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	return &notifier{fd: fd, name: service, to: &unix.SockaddrUnix{Name: socket}, wait: how == "block"}, err
}

// reach sends one pass of the main loop, with its declaration, as a program does that
// cannot know what landmarkd has received. It reports whether that was sent.
func (n *notifier) reach(instance string) bool {
	flags := unix.MSG_DONTWAIT
	if n.wait {
		flags = 0
	}
	lines := fmt.Sprintf("X_LANDMARK_SERVICE=%s\nX_LANDMARK_INSTANCE=%s\nX_LANDMARK_DECLARE=main loop:alive:within=%v\nX_LANDMARK_REACH=main loop", n.name, instance, within)
	return unix.Sendmsg(n.fd, []byte(lines), nil, n.to, flags) == nil
}

// runNotifier is the process of such a program. It has the signals of the other honest
// programs.
func runNotifier(ctx context.Context, socket, service, instance, how string, signals <-chan os.Signal) error {
	n, err := newNotifier(socket, service, how)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(loopInterval)
	defer ticker.Stop()
	last, sent := time.Now(), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				for <-signals != syscall.SIGUSR2 {
				}
				last = time.Now()
			}
		}
		if now := time.Now(); now.Sub(last) > lateAfter {
			fmt.Fprintln(os.Stderr, "late", last.UnixNano(), now.UnixNano())
		}
		last = time.Now()
		if last.Sub(sent) >= within/4 && n.reach(instance) {
			if sent.IsZero() {
				fmt.Fprintln(os.Stderr, reported)
			}
			sent = time.Now()
		}
		last = time.Now() // the wait for the socket is landmarkd's, not the loop's
	}
}

func (d *sidecar) notify() string { return filepath.Join(d.dir, "notify.sock") }
