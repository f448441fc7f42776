//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// How often an idle landmarkd and its program's threads may go to sleep for each report,
// on the median. A clock that always beats needs 80, and an agent that looks at each
// answer of its loop 20.
const (
	landmarkdSwitches = 20
	programSwitches   = 14
)

// How often threads go to sleep for a report does not depend on how fast the machine is.
// What does is how often they are interrupted, which does not count. Each report brings
// one answer of the Loop, and so one lag.
func TestContextSwitchesOfAnIdlePair(t *testing.T) {
	e := newEnv(t)
	epg, _ := e.epg("1s")
	time.Sleep(2 * time.Second) // until the start grace and the first checks are over
	var landmarkd, program []float64
	for range 5 {
		// The metrics are read outside what is counted.
		reported := e.loopAnswers()
		ofLandmarkd, ofProgram := e.sidecar.sleeps(), epg.sleeps()
		time.Sleep(3 * time.Second)
		ofLandmarkd, ofProgram = e.sidecar.sleeps()-ofLandmarkd, epg.sleeps()-ofProgram
		reports := e.loopAnswers() - reported
		if reports == 0 {
			t.Fatal("the program does not report")
		}
		landmarkd = append(landmarkd, float64(ofLandmarkd)/float64(reports))
		program = append(program, float64(ofProgram)/float64(reports))
	}
	for _, tt := range []struct {
		what string
		each []float64
		most float64
	}{{"landmarkd", landmarkd, landmarkdSwitches}, {"the program", program, programSwitches}} {
		slices.Sort(tt.each)
		t.Logf("%s: %.1f for a report", tt.what, tt.each)
		if median := tt.each[len(tt.each)/2]; median > tt.most {
			t.Errorf("the threads of %s go to sleep %.1f times for a report, want at most %v", tt.what, median, tt.most)
		}
	}
}

// loopAnswers returns how many answers of the Loop of epg were reported.
func (e *env) loopAnswers() (n int) {
	e.t.Helper()
	for line := range strings.Lines(e.metrics()) {
		if _, err := fmt.Sscanf(line, `landmark_loop_lag_seconds_count{service="epg"} %d`, &n); err == nil {
			return n
		}
	}
	e.t.Fatal("the metrics have no lag of the Loop of epg")
	return 0
}

// sleeps returns how often the threads of the process have gone to sleep.
func (p *process) sleeps() (n int) {
	p.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		p.t.Fatalf("the threads of %d: %v", p.cmd.Process.Pid, err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(status)) {
			var of int
			if _, err := fmt.Sscanf(line, "voluntary_ctxt_switches: %d", &of); err == nil {
				n += of
			}
		}
	}
	return n
}
