package grpcserver

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
)

// codec is gRPC's own codec, except that it has marshalled the answers of grpc.health.v1
// already: when a service changes, thousands of Watches send the same.
type codec struct {
	encoding.CodecV2
	answers []mem.SliceBuffer // by status
}

func newCodec() codec {
	c := codec{CodecV2: encoding.GetCodecV2(proto.Name)}
	for status := range len(healthpb.HealthCheckResponse_ServingStatus_name) {
		b, err := c.CodecV2.Marshal(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_ServingStatus(status)})
		if err != nil {
			panic(err) // the message is a constant
		}
		c.answers = append(c.answers, b.Materialize())
	}
	return c
}

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(*healthpb.HealthCheckResponse); ok && uint(r.Status) < uint(len(c.answers)) {
		return mem.BufferSlice{c.answers[r.Status]}, nil
	}
	return c.CodecV2.Marshal(v)
}
