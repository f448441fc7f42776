// Package judge makes a verdict of facts.
//
// It is one pure function of a policy, the facts of a service and an instant:
// no clock, no lock, no I/O. The same facts at the same instant always give
// the same verdict, and a verdict stands until the instant it names as its
// next, when it is to be evaluated again.
//
// Facts bear instants of the sidecar's clock ([Instant]) rather than ages, so
// that they grow older without being touched.
package judge
