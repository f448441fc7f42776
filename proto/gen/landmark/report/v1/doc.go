// Package reportv1 is the messages between an agent in a program and its sidecar,
// generated from proto/landmark/report/v1/report.proto.
package reportv1
