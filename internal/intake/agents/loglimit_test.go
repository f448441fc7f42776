package agents

import (
	"fmt"
	"os"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
)

// A program that connects in a loop gets some lines a minute, and another one still
// has its own.
func TestSessionsInALoopDoNotFloodTheLog(t *testing.T) {
	log := new(logtest.Buffer)
	s := newLoggingSidecar(t, log)
	conn := s.dial(hello("quiet", "a"), declaration(loop("main")), report(0, fact(1)))
	conn.welcomed()
	const sessions = 100
	for range sessions {
		a := s.dial(hello("loop", "a"), declaration(loop("main")), report(0, fact(1)))
		a.welcomed()
		a.send(goodbye())
		a.ended()
	}
	conn.send(goodbye())
	conn.ended()
	s.stop()
	if n := log.Count("service=loop"); n == 0 || n > sessions/2 {
		t.Errorf("%d sessions have %d lines", sessions, n)
	}
	if n := log.Count("service=quiet"); n != 2 {
		t.Errorf("the other program has %d lines, want 2", n)
	}
}

// A program that is refused may have no log of its own, so landmarkd logs who it is
// and why.
func TestRefusedProgramsAreLogged(t *testing.T) {
	who := fmt.Sprintf("pid=%d uid=%d", os.Getpid(), os.Geteuid())
	for _, tt := range []struct {
		name     string
		messages messages
		want     string
	}{
		{"no hello", messages{goodbye()}, who + ` why="hello: must be the first message of a stream"`},
		{"a bad name", messages{hello("-epg", "a")}, who + ` why="hello.service: \"-epg\" must begin with a letter or a digit"`},
		{"a bad declaration", messages{hello("epg", "a"), declaration(loop(""))}, `service=epg instance=a ` + who + ` why="declaration.landmarks[0].name: `},
		{"a bad report", messages{hello("epg", "a"), declaration(loop("main")), report(0)}, `service=epg instance=a ` + who + ` why="report.facts: are 0, where 1 landmarks are declared"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := new(logtest.Buffer)
			s := newLoggingSidecar(t, log)
			s.dial(tt.messages...).ended()
			s.stop()
			if line := `level=WARN msg="program refused" ` + tt.want; log.Count("program refused") != 1 || log.Count(line) != 1 {
				t.Errorf("the log is\n%swant one refusal\n%s", log, line)
			}
		})
	}
}

// gRPC itself refuses a hello that it cannot decode, or that is too large.
func TestBrokenHelloIsLogged(t *testing.T) {
	for name, hello := range map[string][]byte{
		"undecodable": {0xFF, 0xFF, 0xFF},
		"too large":   make([]byte, maxMessage+1),
	} {
		t.Run(name, func(t *testing.T) {
			log := new(logtest.Buffer)
			s := newLoggingSidecar(t, log)
			stream := open(t, s.dial().conn, grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
			if err := stream.SendMsg(&hello); err != nil {
				t.Fatal(err)
			}
			if _, err := stream.Recv(); err == nil {
				t.Error("the hello was accepted")
			}
			s.stop()
			if log.Count("program refused") != 1 {
				t.Errorf("the log is\n%swant one refusal", log)
			}
		})
	}
}

// A program that is refused in a loop gets some lines a minute.
func TestRefusalsInALoopDoNotFloodTheLog(t *testing.T) {
	log := new(logtest.Buffer)
	s := newLoggingSidecar(t, log)
	const refusals = 100
	for range refusals {
		if err := s.dial(hello("-epg", "a")).ended(); status.Code(err) != codes.InvalidArgument {
			t.Fatalf("the stream ended with %v", err)
		}
	}
	s.stop()
	if n := log.Count("program refused"); n == 0 || n > refusals/2 {
		t.Errorf("%d refusals have %d lines", refusals, n)
	}
}

// That landmarkd stops refuses no program, nor does a program that ends before its hello.
func TestStopLogsNoRefusal(t *testing.T) {
	log := new(logtest.Buffer)
	s := newLoggingSidecar(t, log)
	s.dial().conn.Close()
	s.dial()
	s.reporting("epg", "a", 0)
	s.dial(hello("idle", "a"))
	s.stop()
	if n := log.Count("refused"); n > 0 {
		t.Errorf("the log has %d refusals:\n%s", n, log)
	}
}

// A landmark whose name is misspelt in the configuration has no effect, so landmarkd
// logs it once a program reports.
func TestUndeclaredLandmarksOfTheConfigurationAreLogged(t *testing.T) {
	log := new(logtest.Buffer)
	s := newLoggingSidecar(t, log)
	s.registry.Configure(map[string]registry.Policy{
		"epg":   {Policy: judge.DefaultPolicy, Landmarks: map[string]registry.Override{"main lopp": {}}},
		"right": {Policy: judge.DefaultPolicy, Landmarks: map[string]registry.Override{"main": {}}},
	}, nil)
	for _, service := range []string{"epg", "right"} {
		a := s.dial(hello(service, "a"), declaration(loop("main")), report(0, fact(1)), report(0, fact(1)), goodbye())
		a.ended()
	}
	s.stop()
	if n := log.Count("main lopp"); n != 1 {
		t.Errorf("the log has %d lines about it, want 1:\n%s", n, log)
	}
	if n := log.Count("correct their names"); n != 1 {
		t.Errorf("the log has %d such lines, want 1:\n%s", n, log)
	}
}
