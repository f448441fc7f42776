package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/test/bench/load"
)

// scrapeInterval is the time between two scrapes of the metrics. With it, each percent of
// a core is 10 ms for a scrape.
const scrapeInterval = time.Second

// scraper scrapes the metrics, as Prometheus does.
type scraper struct {
	stop  context.CancelFunc
	first chan struct{} // closed after the first scrape, or when there will be none
	ended sync.WaitGroup
	err   error // of the last scrape that failed; written before ended
	count int   // scrapes that did not; likewise
}

// startScraper scrapes the metrics at the address until stop is called.
func startScraper(ctx context.Context, address string) *scraper {
	s := &scraper{first: make(chan struct{})}
	ctx, s.stop = context.WithCancel(ctx)
	s.ended.Go(func() {
		scraped := sync.OnceFunc(func() { close(s.first) })
		defer scraped()
		for sleep.For(ctx, scrapeInterval) {
			if _, err := scrape(ctx, address); err == nil {
				s.count++
			} else if ctx.Err() == nil {
				s.err = err
			}
			scraped()
		}
	})
	return s
}

// close ends the scrapes once there was one, and returns an error if one failed or there was
// none.
func (s *scraper) close() error {
	select {
	case <-s.first:
	case <-time.After(load.Patience):
	}
	s.stop()
	s.ended.Wait()
	if s.err == nil && s.count == 0 {
		return fmt.Errorf("the metrics were not scraped")
	}
	return s.err
}
