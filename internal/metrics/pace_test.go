package metrics

import (
	"context"
	"net/http/httptest"
	"net/netip"
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
					end, ok := p.begin(ctx, flood)
					if !ok {
						return
					}
					time.Sleep(takes)
					scrapes.Add(1)
					end(takes)
				}
			}()
		}
		time.Sleep(20 * time.Second)
		begun := time.Now()
		end, ok := p.begin(ctx, other)
		if waited := time.Since(begun); !ok || waited != 0 {
			t.Errorf("the other client: %v after %v, want it to begin at once", ok, waited)
		}
		end(takes)
		// The first 50 are spaced as if they took firstTook.
		if most := int64(20*time.Second/(share*takes)) + 20; scrapes.Load() < most-40 || scrapes.Load() > most {
			t.Errorf("the flood got %d scrapes in 20 s, want at most %d", scrapes.Load(), most)
		}
		cancel()
		time.Sleep(time.Minute)
		if end, ok = p.begin(t.Context(), other); !ok || len(p.clients) != 1 {
			t.Errorf("%d clients are kept, want the last only", len(p.clients))
		}
		end(0)
	})
}

func TestClientIsAnAddressOrANetwork(t *testing.T) {
	for from, want := range map[string]string{
		"10.0.0.1:4711":                "10.0.0.1/32",
		"[::ffff:10.0.0.1]:4711":       "10.0.0.1/32",
		"[2001:db8::1]:4711":           "2001:db8::/64",
		"[fe80::1%eth0]:4711":          "fe80::/64",
		"@":                            netip.Prefix{}.String(),
		"[2001:db8:0:0:ffff::2]:65535": "2001:db8::/64",
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr = from
		if got := clientOf(r).String(); got != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
}
