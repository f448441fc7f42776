// Package registry keeps what agents report and answers what front ends ask.
//
// The intake opens a [Session] for each process and feeds it; the registry
// has the facts judged, publishes each service's facts and verdicts as one
// immutable snapshot, and wakes the [Subscription]s of a service that changed.
// Readers ([Registry.Lookup]) take the snapshot and wait for no writer. A
// verdict is never told past the instant at which time alone changes it: the
// reader evaluates again, and so does one timer a service.
//
// All exported methods may be called by any number of goroutines at once,
// except that one Session's methods are called by one at a time.
package registry
