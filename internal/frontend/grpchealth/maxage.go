package grpchealth

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// maxAgeKey is the metadata by which a checker says how old the facts behind an
// answer may be: an unsigned decimal number of milliseconds of 32 bits, as in
// the monitoring protocol. 0 says nothing.
const maxAgeKey = "landmark-max-age-ms"

// readMaxAge returns what the checker's metadata says, 0 if nothing. The error is
// INVALID_ARGUMENT.
func readMaxAge(ctx context.Context) (time.Duration, error) {
	values := metadata.ValueFromIncomingContext(ctx, maxAgeKey)
	if len(values) == 0 {
		return 0, nil
	}
	// Two values, joined, are no number either.
	value := strings.Join(values, ",")
	ms, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return 0, status.Errorf(codes.InvalidArgument,
			"metadata %s is %.64q: give one unsigned decimal number of milliseconds below 2^32", maxAgeKey, value)
	}
	return time.Duration(ms) * time.Millisecond, nil
}
