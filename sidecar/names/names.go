// Package names says how a service may be named. It stands apart from package
// sidecar so that a command which only writes names down does not take in the
// whole of it.
package names

import "github.com/landmark-health/landmark/internal/registry"

// Check returns an error that says what to do if no service may have the name:
// [A-Za-z0-9][A-Za-z0-9._-]{0,89}, and neither readiness, liveness or startup
// nor ending in "-" and one of these, since they ask for an aspect of a service.
func Check(name string) error { return registry.CheckName(name) }
