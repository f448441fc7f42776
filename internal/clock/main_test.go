package clock

import (
	"context"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs the clock until the function it returns is called.
func run(c *Clock) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, func() bool { return true }) })
	return func() {
		cancel()
		running.Wait()
	}
}
