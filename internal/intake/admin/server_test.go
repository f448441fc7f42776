package admin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/landmark-health/landmark/internal/clock"
	"github.com/landmark-health/landmark/internal/evidence"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/peercred"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// saved is the save function of a members file that is always written.
func saved(context.Context) error { return nil }

// noLink is the link of a process that gets no commands.
type noLink struct{}

func (noLink) GetState(uint64) {}
func (noLink) End(error)       {}
func (noLink) CaughtUp() bool  { return true }
func (noLink) HasEnded() bool  { return false }

// epg returns a registry with the serving service epg of uid 1000.
func epg(t *testing.T) *registry.Registry {
	t.Helper()
	r := registry.New(clock.New(), 0)
	session, err := r.Open(registry.AgentID{Service: "epg", Instance: "a", UID: 1000}, noLink{})
	if err != nil {
		t.Fatal(err)
	}
	session.Declare([]judge.Declared{{Name: "db", Kind: judge.KindCondition, Impact: judge.ImpactReadiness}})
	if err := session.Report([]registry.Fact{{Reached: true, Met: true}}, 0); err != nil {
		t.Fatal(err)
	}
	return r
}

func cause(r *registry.Registry) judge.Cause {
	a, _ := r.Lookup([]byte("epg"), 0)
	return a.Cause
}

// serve runs a server of the registry, and returns its client.
func serve(t *testing.T, r *registry.Registry, log io.Writer) adminv1.AdminServiceClient {
	t.Helper()
	path := filepath.Join(t.TempDir(), "admin.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- New(r, saved, slog.New(slog.NewTextHandler(log, nil))).Run(ctx, l) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return adminv1.NewAdminServiceClient(conn)
}

// The user of the sidecar may drain and resume any service.
func TestDrainAndResume(t *testing.T) {
	r, log := epg(t), new(bytes.Buffer)
	client := serve(t, r, log)
	for _, already := range []bool{false, true} {
		a, err := client.Drain(t.Context(), &adminv1.DrainRequest{Service: "epg"})
		if err != nil || a.GetAlready() != already || cause(r) != judge.Draining {
			t.Errorf("after Drain the cause is %v; already %v, want %v; %v", cause(r), a.GetAlready(), already, err)
		}
	}
	for _, already := range []bool{false, true} {
		a, err := client.Resume(t.Context(), &adminv1.ResumeRequest{Service: "epg"})
		if err != nil || a.GetAlready() != already || cause(r) != judge.None {
			t.Errorf("after Resume the cause is %v; already %v, want %v; %v", cause(r), a.GetAlready(), already, err)
		}
	}
	if drained, resumed := strings.Count(log.String(), "drained by an operator"), strings.Count(log.String(), "resumed by an operator"); drained != 1 || resumed != 1 {
		t.Errorf("the log is\n%s", log)
	}
}

func TestDrainUntilGoneNeedsAProcess(t *testing.T) {
	r := registry.New(clock.New(), 0)
	r.Configure(map[string]registry.Policy{"epg": registry.DefaultPolicy}, nil)
	_, err := serve(t, r, io.Discard).Drain(t.Context(), &adminv1.DrainRequest{Service: "epg", UntilGone: true})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "drain it until it is resumed") {
		t.Errorf("without a process: %v", err)
	}
	r = epg(t)
	_, err = serve(t, r, io.Discard).Drain(t.Context(), &adminv1.DrainRequest{Service: "epg", UntilGone: true})
	if err != nil || cause(r) != judge.Draining {
		t.Errorf("the cause is %v, %v", cause(r), err)
	}
}

func TestUnknownServiceIsNotFound(t *testing.T) {
	client := serve(t, epg(t), io.Discard)
	_, err := client.Drain(t.Context(), &adminv1.DrainRequest{Service: "absent"})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), `"absent"`) {
		t.Error(err)
	}
	if _, err := client.Resume(t.Context(), &adminv1.ResumeRequest{}); status.Code(err) != codes.NotFound {
		t.Error(err)
	}
}

// Only the owner of a service and root may drain and resume it.
func TestOrdersNeedPermission(t *testing.T) {
	for _, tt := range []struct {
		who   string
		info  peercred.AuthInfo
		known bool
		want  codes.Code
	}{
		{"its owner", peercred.AuthInfo{Peer: socket.Peer{UID: 1000}}, true, codes.OK},
		{"root", peercred.AuthInfo{Peer: socket.Peer{UID: 0}}, true, codes.OK},
		{"another user", peercred.AuthInfo{Peer: socket.Peer{UID: 1001}}, true, codes.PermissionDenied},
		{"no credentials", peercred.AuthInfo{}, false, codes.Unauthenticated},
	} {
		t.Run(tt.who, func(t *testing.T) {
			r := epg(t)
			s, ctx := New(r, saved, slog.New(slog.DiscardHandler)), t.Context()
			if tt.known {
				ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: tt.info})
			}
			if _, err := s.Drain(ctx, &adminv1.DrainRequest{Service: "epg"}); status.Code(err) != tt.want {
				t.Errorf("drain: %v, want %v", err, tt.want)
			}
			if drained := cause(r) == judge.Draining; drained != (tt.want == codes.OK) {
				t.Errorf("after Drain the cause is %v", cause(r))
			}
			if _, err := s.Resume(ctx, &adminv1.ResumeRequest{Service: "epg"}); status.Code(err) != tt.want {
				t.Errorf("resume: %v, want %v", err, tt.want)
			}
		})
	}
}

func TestRunReturnsTheErrorOfItsListener(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := New(nil, saved, nil).Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), "serving operators") {
		t.Error(err)
	}
}

// Evidence comes with the change that it explains, and only to those who may drain the
// service.
func TestEvidenceNeedsPermission(t *testing.T) {
	r := registry.New(clock.New(), 0)
	session, err := r.Open(registry.AgentID{Service: "epg", Instance: "a", UID: 1000}, noLink{})
	if err != nil {
		t.Fatal(err)
	}
	session.SetProcess(evidence.Process{PID: 4711})
	session.Declare([]judge.Declared{{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: time.Second}})
	if err := session.Report([]registry.Fact{{Reached: true, Open: true, Age: 2 * time.Second}}, 0); err != nil {
		t.Fatal(err)
	}
	session.AddEvidence(evidence.Evidence{Source: evidence.Program, Landmarks: []string{"main loop"}, Summary: "it hangs", Text: "a\n\tb\n"}, 0)

	stream, err := serve(t, r, io.Discard).Evidence(t.Context(), &adminv1.EvidenceRequest{Service: "epg"})
	if err != nil {
		t.Fatal(err)
	}
	e, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if e.GetSource() != adminv1.EvidenceSource_EVIDENCE_SOURCE_PROGRAM || e.GetInstance() != "a" || e.GetPid() != 4711 || e.GetSummary() != "it hangs" || e.GetText() != "a\n\tb\n" ||
		len(e.GetLandmarks()) != 1 || e.GetChange().GetStatus() != "NOT_SERVING" || e.GetChange().GetCause() != "stalled" || !strings.HasPrefix(e.GetChange().GetReason(), "main loop last answered ") {
		t.Errorf("%v", e)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Error(err)
	}

	s := New(r, saved, slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		service string
		info    peercred.AuthInfo
		want    codes.Code
		sent    int
	}{
		{"epg", peercred.AuthInfo{Peer: socket.Peer{UID: 1000}}, codes.OK, 1},
		{"epg", peercred.AuthInfo{Peer: socket.Peer{UID: 0}}, codes.OK, 1},
		{"epg", peercred.AuthInfo{Peer: socket.Peer{UID: 1001}}, codes.PermissionDenied, 0},
		{"absent", peercred.AuthInfo{Peer: socket.Peer{UID: 0}}, codes.NotFound, 0},
	} {
		to := &sentEvidence{ctx: peer.NewContext(t.Context(), &peer.Peer{AuthInfo: tt.info})}
		if err := s.Evidence(&adminv1.EvidenceRequest{Service: tt.service}, to); status.Code(err) != tt.want || to.sent != tt.sent {
			t.Errorf("uid %d and %s: %v, %d sent", tt.info.Peer.UID, tt.service, err, to.sent)
		}
	}
	if err := s.Evidence(&adminv1.EvidenceRequest{Service: "epg"}, &sentEvidence{ctx: t.Context()}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without credentials: %v", err)
	}
}

// sentEvidence counts what is sent.
type sentEvidence struct {
	grpc.ServerStream
	ctx  context.Context
	sent int
}

func (s *sentEvidence) Context() context.Context             { return s.ctx }
func (s *sentEvidence) Send(*adminv1.EvidenceResponse) error { s.sent++; return nil }
