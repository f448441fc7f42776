package grpcserver

import (
	"bytes"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

// What is marshalled before is what protobuf makes of it, and all else is marshalled as
// always.
func TestCodecMarshalsAsProtobufDoes(t *testing.T) {
	c := newCodec()
	messages := []proto.Message{
		&healthpb.HealthCheckResponse{Status: 17},
		&healthpb.HealthCheckResponse{Status: -1},
		&healthpb.HealthCheckRequest{Service: "epg"},
		&healthpb.HealthListResponse{Statuses: map[string]*healthpb.HealthCheckResponse{"epg": {Status: 1}}},
	}
	for status := range healthpb.HealthCheckResponse_ServingStatus_name {
		messages = append(messages, &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_ServingStatus(status)})
	}
	for _, m := range messages {
		want, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := c.Marshal(m)
			if err != nil || !bytes.Equal(got.Materialize(), want) {
				t.Errorf("%v: %x, %v, want %x", m, got.Materialize(), err, want)
			}
			got.Free()
		}
	}
}
