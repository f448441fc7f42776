package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read parses a message in the text format.
func read[M proto.Message](t *testing.T, m M, text string) M {
	t.Helper()
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// landmarkd answers what the test sets.
type landmarkd struct {
	statusv1.UnimplementedStatusServiceServer
	adminv1.UnimplementedAdminServiceServer
	list     []*statusv1.Service
	watched  chan *statusv1.Service // closed: the Watch ends with err
	history  *statusv1.HistoryResponse
	checkers *statusv1.CheckersResponse
	evidence []*adminv1.EvidenceResponse
	already  bool
	err      error    // of every call
	calls    []string // of the admin service
}

func (l *landmarkd) List(q *statusv1.ListRequest, stream grpc.ServerStreamingServer[statusv1.ListResponse]) error {
	for _, s := range l.list {
		if q.GetService() == "" || q.GetService() == s.GetName() {
			if err := stream.Send(&statusv1.ListResponse{Service: s}); err != nil {
				return err
			}
		}
	}
	return l.err
}

func (l *landmarkd) Watch(_ *statusv1.WatchRequest, stream grpc.ServerStreamingServer[statusv1.WatchResponse]) error {
	if l.watched == nil {
		return l.err
	}
	if err := stream.SendHeader(nil); err != nil {
		return err
	}
	for {
		select {
		case s, open := <-l.watched:
			if !open {
				return l.err
			}
			if err := stream.Send(&statusv1.WatchResponse{Service: s}); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func (l *landmarkd) History(context.Context, *statusv1.HistoryRequest) (*statusv1.HistoryResponse, error) {
	return l.history, l.err
}

func (l *landmarkd) Checkers(context.Context, *statusv1.CheckersRequest) (*statusv1.CheckersResponse, error) {
	return l.checkers, l.err
}

func (l *landmarkd) Drain(_ context.Context, q *adminv1.DrainRequest) (*adminv1.DrainResponse, error) {
	l.calls = append(l.calls, fmt.Sprintf("drain %s until_gone=%t", q.GetService(), q.GetUntilGone()))
	return &adminv1.DrainResponse{Already: l.already}, l.err
}

func (l *landmarkd) Resume(_ context.Context, q *adminv1.ResumeRequest) (*adminv1.ResumeResponse, error) {
	l.calls = append(l.calls, "resume "+q.GetService())
	return &adminv1.ResumeResponse{Already: l.already}, l.err
}

func (l *landmarkd) Forget(_ context.Context, q *adminv1.ForgetRequest) (*adminv1.ForgetResponse, error) {
	l.calls = append(l.calls, "forget "+q.GetService())
	return &adminv1.ForgetResponse{}, l.err
}

func (l *landmarkd) Evidence(_ *adminv1.EvidenceRequest, stream grpc.ServerStreamingServer[adminv1.EvidenceResponse]) error {
	for _, e := range l.evidence {
		if err := stream.Send(e); err != nil {
			return err
		}
	}
	return l.err
}

// serve listens on the Unix socket until the test ends or stop is called.
func (l *landmarkd) serve(t *testing.T, path string) (stop func()) {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	statusv1.RegisterStatusServiceServer(server, l)
	adminv1.RegisterAdminServiceServer(server, l)
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(listener) })
	stop = func() {
		server.Stop()
		serving.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// socketPath returns a path for a test's Unix socket.
func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "sock") }

// result is the result of a run of the program.
type result struct {
	code     int
	out, err string
}

// runTo runs the program to its end.
func runTo(args ...string) result {
	var out, errs bytes.Buffer
	code := run(context.Background(), args, output{out: &out, err: &errs})
	return result{code, out.String(), errs.String()}
}
