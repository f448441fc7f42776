package frontend

import "context"

// evidenceKey is the key of WithEvidence in a context.
type evidenceKey struct{}

// WithEvidence returns the context of a request whose client may see the evidence of a
// hang, such as the stacks of the program. The front end that knows the client calls it.
func WithEvidence(ctx context.Context) context.Context {
	return context.WithValue(ctx, evidenceKey{}, true)
}

// MaySeeEvidence reports whether the client of the request with the context may see the
// evidence of a hang. Without WithEvidence it may not.
func MaySeeEvidence(ctx context.Context) bool {
	may, _ := ctx.Value(evidenceKey{}).(bool)
	return may
}
