package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/test/bench/report"
)

// directorRow is what a director's checks cost.
var directorRow = row{
	name: "director",
	lines: []report.Line{
		{What: "landmark-watch, 200 targets that send ten times a second, against as many checks by keepalived's UDP_CHECK: processor time", Unit: "×", Goal: report.Goal{AtMost: 0.5}},
		{What: "keepalived's MISC_CHECK with landmark-check, against its UDP_CHECK: processor time for a check", Unit: "×"},
	},
	measure: measureDirector,
}

const (
	targets = 200
	// checksPerTarget is how often a second each is checked, or sends its answer.
	checksPerTarget = 10
	// miscTargets are fewer, because each check starts processes.
	miscTargets  = 20
	directorTime = 5 * time.Second
)

func measureDirector(ctx context.Context, s *suite) (m measured, err error) {
	if s.missingC != "" {
		return m, missingError(s.missingC)
	}
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	directory := filepath.Join(d.dir, "track")
	if err := os.Mkdir(directory, 0o755); err != nil {
		return m, err
	}
	args := []string{"-dir", directory}
	for i := range s.size(targets) {
		args = append(args, "-target", fmt.Sprintf("t%d=%s/%s", i, d.monitorAddress, checked))
	}
	watch := exec.CommandContext(ctx, s.path("landmark-watch"), args...)
	watch.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := watch.Start(); err != nil {
		return m, err
	}
	defer func() {
		watch.Process.Kill()
		watch.Wait()
	}()
	udp, err := s.startKeepalived(ctx, d.landmarkd, "udp", s.size(targets))
	if err != nil {
		return m, err
	}
	defer udp.stop()
	if !sleep.For(ctx, s.scaled(settleTime)) {
		return m, ctx.Err()
	}
	// Both run at the same time, so that they have the same host.
	before, err := metric(ctx, d.httpAddress, udpAnswers)
	if err != nil {
		return m, err
	}
	var samples []float64
	var watched, checkedBy []float64 // percent
	for range s.rounds(5) {
		began := time.Now()
		rates, err := over(ctx, s.scaled(directorTime), process(watch.Process.Pid), udp.process)
		if err != nil {
			return m, err
		}
		after, err := d.awaitChecks(ctx, before)
		if err != nil {
			return m, err
		}
		checks := (after - before) / time.Since(began).Seconds()
		before = after
		wanted := float64(s.size(targets) * checksPerTarget)
		watched, checkedBy = append(watched, rates[0].percent), append(checkedBy, rates[1].percent/checks*wanted)
		samples = append(samples, rates[0].percent/(rates[1].percent/checks*wanted))
	}
	udp.stop()
	each := median(checkedBy) / 100 / float64(s.size(targets)*checksPerTarget) * 1e6 // µs
	m.figures = []figure{ratio(samples, fmt.Sprintf("%s %% beside %s %% of a core for %d a second; a UDP_CHECK costs %s µs",
		report.Digits(median(watched)), report.Digits(median(checkedBy)), s.size(targets)*checksPerTarget, report.Digits(each)))}
	misc, err := s.costOfMisc(ctx, d.landmarkd)
	if err != nil {
		return m, err
	}
	m.figures = append(m.figures, amount(misc/each, fmt.Sprintf("%s µs for a check, the processes that it starts included", report.Digits(misc))))
	return m, nil
}

// udpAnswers is the metric of landmarkd's answers over UDP. Of these, only keepalived
// gets any in this row.
const udpAnswers = `landmark_answers_total{front_end="lmp-udp"}`

// awaitChecks returns how many checks of keepalived were answered so far, once they are more
// than before.
func (d *landmarkd) awaitChecks(ctx context.Context, before float64) (after float64, err error) {
	err = await(ctx, func() error {
		if after, err = metric(ctx, d.httpAddress, udpAnswers); err == nil && after == before {
			err = errors.New("keepalived made no check")
		}
		return err
	})
	return after, err
}

// costOfMisc returns the CPU time of a MISC_CHECK with landmark-check, in µs.
func (s *suite) costOfMisc(ctx context.Context, d *landmarkd) (us float64, err error) {
	misc, err := s.startKeepalived(ctx, d, "misc", max(2, s.size(miscTargets)))
	if err != nil {
		return 0, err
	}
	defer misc.stop()
	if !sleep.For(ctx, s.scaled(settleTime)) {
		return 0, ctx.Err()
	}
	before, err := metric(ctx, d.httpAddress, udpAnswers)
	if err != nil {
		return 0, err
	}
	used, err := misc.withChildren()
	if err != nil {
		return 0, err
	}
	if !sleep.For(ctx, s.scaled(directorTime)) {
		return 0, ctx.Err()
	}
	after, err := d.awaitChecks(ctx, before)
	if err != nil {
		return 0, fmt.Errorf("with MISC_CHECK: %w", err)
	}
	usedAfter, err := misc.withChildren()
	return float64((usedAfter - used).Microseconds()) / (after - before), err
}

// keepalived is a running keepalived, of which only the checkers work.
type keepalived struct {
	process // of the checkers
	cmd     *exec.Cmd
}

// startKeepalived starts keepalived with Landmark's own snippet, changed so that all real
// servers are checked at landmarkd's address.
func (s *suite) startKeepalived(ctx context.Context, d *landmarkd, check string, servers int) (*keepalived, error) {
	path, err := exec.LookPath("keepalived")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/keepalived"); err != nil {
			return nil, missingError("keepalived is not installed")
		}
	}
	if os.Geteuid() != 0 {
		return nil, missingError("keepalived needs root")
	}
	host, port, err := net.SplitHostPort(d.monitorAddress)
	if err != nil {
		return nil, err
	}
	args := []string{"snippet", "keepalived", "-service", checked, "-virtual", "192.0.2.80:5400", "-check", check, "-monitor", port,
		"-interval", (time.Second / checksPerTarget).String()}
	if check == "misc" {
		args = append(args, "-check-path", s.path("landmark-check"))
	}
	for i := range servers {
		args = append(args, "-real", fmt.Sprintf("127.0.1.%d:5400", i+1))
	}
	snippet, err := exec.CommandContext(ctx, s.path("landmark"), args...).Output()
	if err != nil {
		return nil, fmt.Errorf("landmark %s: %w", strings.Join(args, " "), err)
	}
	text := string(snippet)
	if check == "misc" {
		text = udpChecks.ReplaceAllString(text, "")
		text = miscAddresses.ReplaceAllString(text, "-addr "+d.monitorAddress+" ")
	}
	text = strings.ReplaceAll(text, "UDP_CHECK {", "UDP_CHECK {\n            connect_ip "+host)
	file := filepath.Join(d.dir, "keepalived-"+check)
	if err := os.WriteFile(file+".conf", []byte(text), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "--check", "--dont-fork", "--log-console", "--use-file", file+".conf",
		"--pid", file+".pid", "--checkers_pid", file+"-checkers.pid")
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+s.path("ipvs.so"))
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	k := &keepalived{cmd: cmd}
	before, err := metric(ctx, d.httpAddress, udpAnswers)
	for range 500 {
		text, err := os.ReadFile(file + "-checkers.pid")
		if err == nil {
			fmt.Sscan(string(text), (*int)(&k.process))
		}
		if answered, err := metric(ctx, d.httpAddress, udpAnswers); err == nil && k.process != 0 && answered > before {
			return k, nil
		}
		if !sleep.For(ctx, 20*time.Millisecond) {
			break
		}
	}
	k.stop()
	return nil, errors.Join(err, fmt.Errorf("keepalived made no check with %s.conf", file))
}

// The parts of a snippet that are changed.
var (
	udpChecks     = regexp.MustCompile(`(?s)UDP_CHECK \{.*?\}`)
	miscAddresses = regexp.MustCompile(`-addr \S+ `)
)

// withChildren returns the CPU time of the checkers and of the processes that they have
// started and that have ended (proc(5), stat).
func (k *keepalived) withChildren() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", k.process))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // after the name, from field 3 on
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0, fmt.Errorf("stat is %q", text)
	}
	var ticks int
	for _, field := range fields[11:15] { // fields 14 to 17: utime, stime, cutime, cstime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ
}

func (k *keepalived) stop() {
	k.cmd.Process.Signal(unix.SIGTERM) // keepalived ends its checkers
	k.cmd.Wait()
}
