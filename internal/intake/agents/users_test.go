package agents

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
)

// socketOfAnother is the environment variable with the path of the sidecar's socket,
// in a process of another user that reports epg there and prints the result.
const socketOfAnother = "LANDMARK_STREAM_TEST_SOCKET"

// nobody is the uid of a user who owns nothing.
const nobody = 65534

func TestMain(m *testing.M) {
	if os.Getenv(socketOfAnother) == "" && os.Getenv(socketOfParent) == "" && os.Getenv(socketOfHeir) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	os.Exit(m.Run())
}

// reportAsNobody reports epg from a process of the user nobody, and returns the
// status with which the stream ended.
func reportAsNobody(t *testing.T, s *sidecar) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	// The user may not enter the directory of the binary.
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

// goOn makes the agent report until stop is called.
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

// A service belongs to the user who first reported it. A process of another user is
// refused, which landmarkd logs, and changes nothing.
func TestAnotherUserIsRefused(t *testing.T) {
	log := new(logtest.Buffer)
	s := newLoggingSidecar(t, log)
	owner := s.reporting("epg", "a", 0)
	before := s.look("epg")
	goOn := owner.goOn()
	said := reportAsNobody(t, s)
	goOn()
	if !strings.HasPrefix(said, codes.PermissionDenied.String()+" hello.service: ") {
		t.Errorf("another user got %q", said)
	}
	after := s.look("epg")
	if after.Status != judge.Serving || after.Changes != before.Changes {
		t.Errorf("the service was changed: %+v", after)
	}
	_, message, _ := strings.Cut(said, " ")
	refused := regexp.MustCompile(fmt.Sprintf(`msg="program refused" service=epg instance=other pid=\d+ uid=%d why=%s`,
		nobody, regexp.QuoteMeta(strconv.Quote(message))))
	if !refused.MatchString(log.String()) {
		t.Errorf("the log is\n%swant %s", log, refused)
	}
	owner.send(goodbye())
	s.await("epg", judge.NotServing, judge.Stopped)
}

// Root may take a service from another user. Otherwise any user could keep the name of
// a program that root runs.
func TestRootTakesAServiceOver(t *testing.T) {
	s := newSidecar(t)
	if said := reportAsNobody(t, s); !strings.HasPrefix(said, "OK") {
		t.Fatalf("the owner got %q", said)
	}
	s.await("epg", judge.NotServing, judge.Stopped)
	s.reporting("epg", "a", 0)
	s.await("epg", judge.Serving, judge.None)
	if said := reportAsNobody(t, s); !strings.HasPrefix(said, codes.PermissionDenied.String()) {
		t.Errorf("the user who had the service before got %q", said)
	}
}
