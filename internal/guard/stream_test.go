package guard

import (
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// Each stream has its own time for its request. One that is answered before its client has
// ended it has sent what the server needs.
func TestRequestsMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t, newLimits(), 1)
		g.headers(1)
		g.framer.WriteData(1, false, make([]byte, 50))
		g.want("a stream that stays open", nil)
		g.server.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 20), EndHeaders: true})
		time.Sleep(time.Minute)
		for n := range uint32(2 * requestTimeout / time.Second) {
			id := 2*n + 3
			g.headers(id)
			g.want("the beginning of a request", nil)
			time.Sleep(time.Second)
			if n%2 == 0 {
				g.framer.WriteData(id, true, make([]byte, 50))
				g.want("its end", nil)
			} else {
				g.framer.WriteRSTStream(id, http2.ErrCodeCancel)
				g.want("its cancellation", nil)
			}
		}
		g.headers(101)
		g.want("one without a request", nil)
		time.Sleep(requestTimeout - time.Second)
		g.headers(103)
		g.want("another", nil)
		if g.wire.closed.Load() {
			t.Error("the connection was closed too early")
		}
		time.Sleep(2 * time.Second)
		if !g.wire.closed.Load() {
			t.Error("the connection is open although a request did not come in time")
		}
	})
}

// The connection with the most open streams is closed for those that have few.
func TestOpenStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := newLimits()
		honest, largest, small := newGuarded(t, limits, 1), newGuarded(t, limits, 1), newGuarded(t, limits, 2)
		for n := range uint32(connStreams + 2) {
			honest.headers(2*n + 1)
		}
		honest.want("few streams", nil)
		for n := range uint32(connStreams + 18) {
			largest.headers(2*n + 1)
		}
		largest.want("all the streams that are left", nil)
		for n := range uint32(connStreams + 1) {
			small.headers(2*n + 1)
		}
		small.want("a few more", nil)
		if !largest.wire.closed.Load() || honest.wire.closed.Load() {
			t.Errorf("closed: the largest %v, the honest one %v", largest.wire.closed.Load(), honest.wire.closed.Load())
		}
		small.answer(1)
		honest.Close()
		small.Close()
		if limits.Budget.streams != 20 || len(limits.Budget.conns) != 0 {
			t.Errorf("%d streams are left, want all", limits.Budget.streams)
		}
		last := newGuarded(t, limits, 1)
		for n := range uint32(connStreams + 21) {
			last.headers(2*n + 1)
		}
		last.want("more streams than there are", errStreams)
	})
}
