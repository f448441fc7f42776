package sidecar

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/config"
)

func TestDivideDescriptors(t *testing.T) {
	for descriptors, want := range map[int]connLimits{
		62:    {agents: 5, agentsPerUser: 3, monitor: 5, grpc: 5},
		82:    {agents: 10, agentsPerUser: 7, monitor: 10, grpc: 10},
		1042:  {agents: 250, agentsPerUser: 187, monitor: 250, grpc: 250},
		2090:  {agents: 576, agentsPerUser: 432, monitor: 512, grpc: 384},
		20000: {agents: 1024, agentsPerUser: 768, monitor: 4989, grpc: 384, spare: 12537},
		65536: {agents: 1024, agentsPerUser: 768, monitor: 10240, grpc: 384, spare: 52822},
	} {
		if got := divideDescriptors(descriptors); got != want {
			t.Errorf("of %d descriptors the limits are %+v, want %+v", descriptors, got, want)
		}
	}
	for descriptors := reserved + minShared; descriptors < 100_000; descriptors++ {
		s := divideDescriptors(descriptors)
		agents := descriptorsPerAgent * s.agents
		if agents+s.monitor+s.grpc > descriptors-reserved || agents+1 < min(s.monitor+s.grpc, maxAgents) || s.agentsPerUser >= s.agents || min(s.agentsPerUser, s.monitor, s.grpc) < 2 {
			t.Fatalf("of %d descriptors the limits are %+v", descriptors, s)
		}
		with := s.withLine()
		if with.line+with.monitor != s.monitor || with.line < 1 || with.monitor < with.line || with.agents != s.agents {
			t.Fatalf("of %d descriptors, with the line protocol the limits are %+v", descriptors, with)
		}
		http, taken := with.withHTTP(), 0
		taken = with.monitor - http.monitor + with.grpc - http.grpc + with.spare - http.spare
		if descriptorsPerHTTP*http.http > taken || http.http < 1 || http.http > maxHTTP || min(http.monitor, http.grpc) < 2 || http.agents != s.agents || http.line != with.line {
			t.Fatalf("of %d descriptors, with HTTP the limits are %+v", descriptors, http)
		}
		for _, l := range []connLimits{s, with, http} {
			gated := l.withGates()
			used := agents + gated.monitor + gated.line + gated.grpc + descriptorsPerHTTP*gated.http + descriptorsPerGate*gated.gates
			if used > descriptors-reserved || gated.monitor < l.monitor*3/4 || gated.agents != l.agents || gated.line != l.line || gated.grpc != l.grpc ||
				gated.gates < min(l.monitor/4/descriptorsPerGate, config.MaxGates) || gated.gates > config.MaxGates {
				t.Fatalf("of %d descriptors, with gates the limits are %+v", descriptors, gated)
			}
			probed := gated.withProbes()
			used += probed.monitor - gated.monitor + descriptorsPerProbe*probed.probes
			if used > descriptors-reserved || probed.monitor < gated.monitor*3/4 || probed.gates != gated.gates || probed.agents != l.agents ||
				probed.probes < min(gated.monitor/8, config.MaxProbes) || probed.probes > config.MaxProbes {
				t.Fatalf("of %d descriptors, with probes the limits are %+v", descriptors, probed)
			}
		}
		for _, configuration := range []bool{false, true} {
			with := s.withNotify(configuration)
			used := descriptorsPerAgent*with.agents + with.monitor + with.grpc + with.notify + descriptorsPerNotifySocket*with.notifySockets
			if used+with.spare > descriptors-reserved || with.notify < 1 || with.notifyPerUser < 1 || with.agents < s.agents*3/4 || with.agentsPerUser >= with.agents ||
				with.notify > maxNotify || (with.notifySockets > 0) && !configuration {
				t.Fatalf("of %d descriptors, with notifications the limits are %+v", descriptors, with)
			}
		}
		for _, sockets := range []int{3, 192} {
			for _, limits := range []connLimits{s, http} {
				gated := limits.withGates().allowBFD()
				if (gated.checkBFD(1, sockets) == nil) != (sockets <= gated.spare+gated.monitor/2) {
					t.Fatalf("of %d descriptors, %d of BFD are allowed where the limits are %+v", descriptors, sockets, gated)
				}
				if gated.checkBFD(1, sockets) != nil {
					continue
				}
				with := gated.withBFD(sockets)
				used := agents + with.monitor + with.line + with.grpc + descriptorsPerHTTP*with.http + descriptorsPerGate*with.gates + with.bfd
				if with.monitor < 2 || with.monitor < gated.monitor/2 || with.bfd < sockets || used+with.spare > descriptors-reserved {
					t.Fatalf("of %d descriptors, with %d of BFD the limits are %+v", descriptors, sockets, with)
				}
				rest := with.withRest()
				others := rest
				others.monitor, others.spare = with.monitor, with.spare
				if others != with || rest.monitor+rest.spare != with.monitor+with.spare || rest.monitor > maxMonitor || rest.monitor < maxMonitor && rest.spare > 0 {
					t.Fatalf("of %d descriptors, with %d of BFD and the rest the limits are %+v", descriptors, sockets, rest)
				}
			}
		}
	}
}

// With everything on, 16,384 descriptors are enough for as many connections to the
// monitoring port as there may be.
func TestMonitoringPortGetsTheRest(t *testing.T) {
	l := divideDescriptors(16384).withHTTP().withNotify(true).withGates().withProbes().allowBFD().withBFD(2).withRest()
	if l.monitor != maxMonitor || l.bfd != descriptorsPerBFD*config.MaxPeerings {
		t.Errorf("the limits are %+v, want %d connections to the monitoring port, and %d descriptors for BFD", l, maxMonitor, descriptorsPerBFD*config.MaxPeerings)
	}
}

// A configuration with more probes than there are descriptors for is refused, and says
// what to do.
func TestTooManyProbesAreRefused(t *testing.T) {
	l := divideDescriptors(90).withGates().withProbes()
	if l.probes != 1 || l.checkProbes(1) != nil {
		t.Errorf("of 90 descriptors there can be %d probes, want 1: %v", l.probes, l.checkProbes(1))
	}
	if err := l.checkProbes(2); err == nil || !strings.Contains(err.Error(), "it has 2 probes") || !strings.Contains(err.Error(), "LimitNOFILE=") {
		t.Errorf("2 probes: got error %v, want one that names LimitNOFILE=", err)
	}
}

// A configuration with more gates than there are descriptors for is refused, and says
// what to do.
func TestTooManyGatesAreRefused(t *testing.T) {
	l := divideDescriptors(83).withGates()
	if l.gates != 1 || l.checkGates(1) != nil {
		t.Errorf("of 83 descriptors there can be %d gates, want 1: %v", l.gates, l.checkGates(1))
	}
	if err := l.checkGates(2); err == nil || !strings.Contains(err.Error(), "it has 2 gates") || !strings.Contains(err.Error(), "LimitNOFILE=") {
		t.Errorf("2 gates: got error %v, want one that names LimitNOFILE=", err)
	}
}

// A configuration with more BFD sessions than there are descriptors for is refused, and
// says what to do: at the start, and as a whole at a reload.
func TestTooManyBFDSessionsAreRefused(t *testing.T) {
	l := divideDescriptors(83).withGates().allowBFD()
	if l.bfd != 4 || l.checkBFD(1, 3) != nil {
		t.Errorf("of 83 descriptors BFD can have %d, want 4: %v", l.bfd, l.checkBFD(1, 3))
	}
	err := l.checkBFD(2, 5)
	want := "it has 2 BFD sessions, which need 5 descriptors, and so few files may be open that 4 are left: raise LimitNOFILE= in landmarkd's unit, or ulimit -n, or remove sessions"
	if err == nil || err.Error() != want {
		t.Errorf("5 sockets: got error %v, want %s", err, want)
	}
	if started := l.withBFD(3); started.bfd != 3 || started.checkBFD(2, 4) == nil {
		t.Errorf("after a start with 3 sockets BFD can have %d, want 3", started.bfd)
	}

	file := filepath.Join(t.TempDir(), "landmarkd.yaml")
	write := func(peers int, rest string) {
		t.Helper()
		text := "bfd:\n"
		for i := range peers {
			text += fmt.Sprintf("- {service: epg, peer: 127.0.0.1, local: 127.9.8.%d}\n", i+1)
		}
		if err := os.WriteFile(file, []byte(text+rest), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setDescriptors(t, 83)
	write(2, "")
	if s, err := New(Config{File: file}); err == nil {
		s.Close()
		t.Error("a start with too many sessions succeeds")
	} else if want := file + ": it has 2 BFD sessions, which need 6 descriptors"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("a start with too many sessions: got error %v, want %s", err, want)
	}
	write(1, "services:\n  epg: {}\n")
	s, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write(2, "services:\n  epg: {}\n  vod: {}\n")
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), "it has 2 BFD sessions") {
		t.Errorf("a reload with too many sessions: got error %v", err)
	}
	if names := s.services.Names(); !slices.Equal(names, []string{"epg"}) {
		t.Errorf("after the reload there are the services %q", names)
	}
}

// setDescriptors sets how many files may be open, until the test ends.
func setDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	few := limit
	few.Cur = n
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
}

func TestTooFewDescriptorsFail(t *testing.T) {
	setDescriptors(t, reserved+minShared-1)
	if s, err := New(Config{}); err == nil {
		s.Close()
		t.Error("New succeeds with too few descriptors")
	} else if !strings.Contains(err.Error(), "only 61 files") || !strings.Contains(err.Error(), "needs 62") {
		t.Error(err)
	}
}

// docs/operations.md states the numbers that an operator needs for LimitNOFILE=.
func TestDescriptorsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(string(text)), " ")
	want := fmt.Sprintf("landmarkd keeps %d for itself, and does not start with fewer than %d.", reserved, reserved+minShared)
	if !strings.Contains(words, want) {
		t.Errorf("docs/operations.md does not say %q", want)
	}
}
