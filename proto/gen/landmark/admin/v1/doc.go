// Package adminv1 is the commands of an operator to a sidecar, generated from
// proto/landmark/admin/v1/admin.proto.
package adminv1
