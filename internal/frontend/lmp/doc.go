// Package lmp is the front end that speaks LMP, the monitoring protocol of
// docs/lmp.md, on UDP and TCP: it translates what the registry tells into the
// protocol's words and judges nothing itself.
package lmp
