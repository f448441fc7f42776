// Package grpchealth is the front end that speaks grpc.health.v1: it
// translates what the registry tells into the statuses that gRPC clients,
// Envoy, kubelet and grpc-health-probe ask for, and judges nothing itself.
//
// The service is Landmark's own rather than grpc-go's health.Server, which
// keeps statuses that somebody sets: here each answer is evaluated when it is
// told, so that none outlives the facts that it was made of.
//
// The protocol: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
package grpchealth
