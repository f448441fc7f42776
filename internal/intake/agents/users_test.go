package agents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
)

// socketOfAnother has the path of a sidecar's socket in a process that a test
// started as another user, which reports epg there and says what came of it.
const socketOfAnother = "LANDMARK_STREAM_TEST_SOCKET"

// nobody is a user who owns nothing.
const nobody = 65534

func TestMain(m *testing.M) {
	if os.Getenv(socketOfAnother) == "" && os.Getenv(socketOfParent) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	os.Exit(m.Run())
}

// reportAsNobody reports epg as the user nobody, until the process is told to
// end, and returns how the sidecar took it.
func reportAsNobody(t *testing.T, s *sidecar) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	// The user may not search the directory that the binary lies in.
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestReportOfAnother$", "-test.v")
	cmd.Env = []string{socketOfAnother + "=" + s.path}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, said, _ := strings.Cut(string(out), "it said: ")
	said, _, _ = strings.Cut(said, "\n")
	return said
}

// TestReportOfAnother is the other process.
func TestReportOfAnother(t *testing.T) {
	path := os.Getenv(socketOfAnother)
	if path == "" {
		return // started by no test
	}
	a := dial(t, "unix:"+path, hello("epg", "other"), declaration(loop("main")), report(0, fact(0)), goodbye())
	st := status.Convert(a.ended())
	fmt.Printf("it said: %v %s\n", st.Code(), st.Message())
}

// goOn has the agent report, however long another process takes to start,
// until what it returns is called.
func (a *agent) goOn() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var reporting sync.WaitGroup
	reporting.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
				a.send(report(0, fact(0)))
			}
		}
	})
	return func() { cancel(); reporting.Wait() }
}

// A service belongs to the user who first reported it: nobody else's process
// can say that it is well, or that it is gone.
func TestAnotherUserIsRefused(t *testing.T) {
	s := newSidecar(t)
	owner := s.reporting("epg", "a", 0)
	before := s.look("epg")
	goOn := owner.goOn()
	said := reportAsNobody(t, s)
	goOn()
	if !strings.HasPrefix(said, codes.PermissionDenied.String()+" hello.service: ") {
		t.Errorf("another user was told %q", said)
	}
	after := s.look("epg")
	if after.Status != judge.Serving || after.Changes != before.Changes {
		t.Errorf("the service was changed: %+v", after)
	}
	owner.send(goodbye())
	s.await("epg", judge.NotServing, judge.Stopped)
}

// Root may take a service from another user, for else any user could keep the
// name of a program that root runs.
func TestRootTakesAService(t *testing.T) {
	s := newSidecar(t)
	if said := reportAsNobody(t, s); !strings.HasPrefix(said, "OK") {
		t.Fatalf("the owner was told %q", said)
	}
	s.await("epg", judge.NotServing, judge.Stopped)
	s.reporting("epg", "a", 0)
	s.await("epg", judge.Serving, judge.None)
	if said := reportAsNobody(t, s); !strings.HasPrefix(said, codes.PermissionDenied.String()) {
		t.Errorf("who had the service before was told %q", said)
	}
}
