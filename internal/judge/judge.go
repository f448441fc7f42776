// Package judge turns the facts about a service into verdicts.
//
// [Evaluate] is one pure function of a policy, the facts and an instant: no
// clock, no lock, no I/O. The same facts at the same instant always give the
// same verdict. A verdict holds until the instant in its Next field; then the
// caller evaluates again.
//
// A service is followed through evaluate.go, which chooses the processes that count,
// aggregate.go, which combines them, and instance.go, which asks internal/rule (state.go)
// whether each landmark fails. damping.go then delays changes.
//
// Facts carry instants of the sidecar's clock ([Instant]) instead of ages, so
// that they grow older without being changed.
package judge

import "github.com/landmark-health/landmark/internal/rule"

// Instant is a moment on the sidecar's clock, in nanoseconds since an origin
// that only the clock knows.
type Instant = rule.Instant

// Never is later than every other instant.
const Never = rule.Never
