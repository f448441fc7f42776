package landmark

import (
	"context"
	"sync/atomic"
	"time"
)

// An inquiry is what a landmark that is asked has its carriers call.
type inquiry struct {
	// ask calls the program's function and records what it says. It is nil in a
	// bad declaration only.
	ask   func(context.Context)
	every time.Duration // 0 = once for each report
	busy  atomic.Bool   // a call is going on
}

// run asks, unless it is asking already.
func (i *inquiry) run(ctx context.Context) {
	if !i.busy.CompareAndSwap(false, true) {
		return
	}
	defer i.busy.Store(false)
	i.ask(ctx)
}
