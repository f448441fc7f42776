// Package intakev1 is the gRPC service through which agents report to their sidecar,
// generated from proto/landmark/intake/v1/intake.proto.
package intakev1
