package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is a ResponseWriter that counts.
type discard struct {
	header http.Header
	bytes  int
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(b []byte) (int, error) {
	d.bytes += len(b)
	return io.Discard.Write(b)
}

// BenchmarkScrape scrapes 1,000 services of 20 landmarks each.
func BenchmarkScrape(b *testing.B) {
	f := newFixture(b)
	addMany(b, f.registry, 1000, 20)
	metrics := 0
	for _, family := range f.scrape(text) {
		metrics += len(family.Metric)
	}
	for name, accept := range map[string]string{"text": text, "protobuf": protobuf} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			r.Header.Set("Accept", accept)
			w := &discard{header: make(http.Header)}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.bytes = 0
				r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", i/256%256, i%256) // the scrapes of one client are spaced
				f.ServeHTTP(w, r)
			}
			b.ReportMetric(float64(w.bytes), "bytes")
			b.ReportMetric(float64(metrics), "metrics")
		})
	}
}
