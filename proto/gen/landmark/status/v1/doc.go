// Package statusv1 is the gRPC service that returns the status of services, with reasons
// and history, generated from proto/landmark/status/v1/status.proto.
package statusv1
