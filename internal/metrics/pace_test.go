package metrics

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// One client scrapes without a pause on many connections. It gets half a core, and another
// client waits for none of its scrapes.
func TestScrapesOfAClientAreSpaced(t *testing.T) {
	const takes = 30 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		flood, other := netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")
		ctx, cancel := context.WithCancel(t.Context())
		var scrapes atomic.Int64
		for range 50 {
			go func() {
				for {
					end, err := p.begin(ctx, flood)
					if errors.Is(err, errTooMany) {
						time.Sleep(time.Second)
						continue
					}
					if err != nil {
						return
					}
					time.Sleep(takes)
					scrapes.Add(1)
					end(takes, true)
				}
			}()
		}
		time.Sleep(20 * time.Second)
		began := time.Now()
		end, err := p.begin(ctx, other)
		if waited := time.Since(began); err != nil || waited != 0 {
			t.Errorf("the other client: %v after %v, want it to begin at once", err, waited)
		}
		end(takes, true)
		// The first 50 are spaced as if they took firstTook.
		if most := int64(20*time.Second/(spacing*takes)) + 20; scrapes.Load() < most-40 || scrapes.Load() > most {
			t.Errorf("the flood got %d scrapes in 20 s, want at most %d", scrapes.Load(), most)
		}
		cancel()
		time.Sleep(time.Minute)
		if end, err = p.begin(t.Context(), other); err != nil || len(p.clients) != 1 {
			t.Errorf("%d clients are kept, want the last only", len(p.clients))
		}
		end(0, true)
	})
}

// A client opens scrapes and leaves, again and again. What it leaves delays no other of the
// same address. And no scrape waits longer than maxWait: it is refused, and counts for
// nothing.
func TestAbandonedScrapesLeaveNoDebt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		from := netip.MustParsePrefix("127.0.0.1/32")
		for range 100 {
			ctx, leave := context.WithCancel(t.Context())
			for range 50 {
				go p.begin(ctx, from)
			}
			synctest.Wait()
			leave()
			synctest.Wait()
		}
		time.Sleep(maxDelay)
		began := time.Now()
		end, err := p.begin(t.Context(), from)
		if waited := time.Since(began); err != nil || waited > 0 {
			t.Fatalf("after the others have left: %v after %v", err, waited)
		}
		end(time.Hour, true) // from now on each takes maxDelay
		time.Sleep(maxDelay)
		waits := make(chan time.Duration)
		for range 1000 {
			go func() {
				began := time.Now()
				end, err := p.begin(t.Context(), from)
				if err == nil {
					end(time.Hour, true)
				}
				if (err != nil) != errors.Is(err, errTooMany) || err != nil && time.Since(began) > 0 {
					t.Errorf("refused with %v after %v", err, time.Since(began))
				}
				waits <- time.Since(began)
			}()
		}
		var longest time.Duration
		for range 1000 {
			longest = max(longest, <-waits)
		}
		if most := 1 + int(maxWait/maxDelay); longest != maxWait || p.refused.Load() != uint64(1000-most) {
			t.Errorf("the longest wait is %v, and %d of 1000 are refused; want %v and %d", longest, p.refused.Load(), maxWait, 1000-most)
		}
		time.Sleep(maxDelay)
		began = time.Now()
		if end, err = p.begin(t.Context(), from); err != nil || time.Since(began) > 0 {
			t.Fatalf("after the last: %v after %v", err, time.Since(began))
		}
		end(0, true)
	})
}

func TestRefusedScrapeSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		request := func(ctx context.Context) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(ctx, "GET", "/metrics", nil)
			r.RemoteAddr = "127.0.0.1:1"
			w := httptest.NewRecorder()
			defer func() { recover() }() // of those that leave
			f.ServeHTTP(w, r)
			return w
		}
		ctx, leave := context.WithCancel(t.Context())
		for range 2 * maxWait / (spacing * firstTook) {
			go request(ctx)
		}
		synctest.Wait()
		w := request(t.Context())
		if w.Code != 429 || w.Header().Get("Retry-After") != "5" || w.Header().Get("Cache-Control") != "no-store" || !strings.HasPrefix(w.Body.String(), "too many scrapes from your address") {
			t.Errorf("the answer is %d %v %q", w.Code, w.Header(), w.Body)
		}
		leave()
		synctest.Wait()
		f.wantLines("landmark_requests_refused_total", fmt.Sprintf(`landmark_requests_refused_total{front_end="http",reason="scrapes"} %d`, f.pacer.refused.Load()))
	})
}

// What a scrape took that was broken off says nothing about the next.
func TestBrokenScrapesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pacer
		from := netip.MustParsePrefix("127.0.0.1/32")
		for _, whole := range []bool{true, false} {
			end, err := p.begin(t.Context(), from)
			if err != nil {
				t.Fatal(err)
			}
			used := time.Millisecond
			if whole {
				used = 100 * time.Millisecond
			}
			end(used, whole)
			time.Sleep(time.Second)
		}
		for _, want := range []time.Duration{0, spacing * 100 * time.Millisecond} {
			began := time.Now()
			if _, err := p.begin(t.Context(), from); err != nil || time.Since(began) != want {
				t.Errorf("a scrape began after %v with %v, want it after %v", time.Since(began), err, want)
			}
		}
	})
}
