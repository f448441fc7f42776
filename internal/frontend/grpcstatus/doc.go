// Package grpcstatus is the front end for people and their tools: it speaks
// landmark.status.v1 (proto/landmark/status/v1), which tells not only whether a
// service is serving, but why, since when, and what was before. It translates
// what the registry tells, and judges nothing itself.
package grpcstatus
