// Package grpcserver is the server that the front ends which speak gRPC have
// in common: its limits, its upkeep, and how it stops. It tells nothing itself,
// and knows none of the front ends; each registers its service on it.
package grpcserver
