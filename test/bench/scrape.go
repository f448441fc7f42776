package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
)

// scrapeInterval is the time between two scrapes of the metrics. With it, each percent of
// a core is 10 ms for a scrape.
const scrapeInterval = time.Second

// scraper scrapes the metrics, as Prometheus does.
type scraper struct {
	stop  context.CancelFunc
	ended sync.WaitGroup
	err   error // of the last scrape that failed; written before ended
	count int   // scrapes that did not; likewise
}

// startScraper scrapes the metrics at the address until stop is called.
func startScraper(ctx context.Context, address string) *scraper {
	s := new(scraper)
	ctx, s.stop = context.WithCancel(ctx)
	s.ended.Go(func() {
		for sleep.For(ctx, scrapeInterval) {
			if _, err := scrape(ctx, address); err == nil {
				s.count++
			} else if ctx.Err() == nil {
				s.err = err
			}
		}
	})
	return s
}

// close ends the scrapes, and returns an error if one failed or there was none.
func (s *scraper) close() error {
	s.stop()
	s.ended.Wait()
	if s.err == nil && s.count == 0 {
		return fmt.Errorf("the metrics were not scraped")
	}
	return s.err
}
