package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// pages are open pages, each with the events of all services and of one that it shows
// whole.
type pages struct {
	stop   context.CancelFunc
	ended  sync.WaitGroup
	failed atomic.Pointer[error]
	counts []atomic.Int64 // of the events that are about changes, by page
}

// openPages opens so many pages. They read all that they get.
func openPages(ctx context.Context, address string, n int) (*pages, error) {
	p := &pages{counts: make([]atomic.Int64, n)}
	ctx, p.stop = context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{}}
	for i := range n {
		r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://%s/events?service=%s", address, serviceName(i)), nil)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		answer, err := client.Do(r)
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		if answer.StatusCode != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("page %d: %s", i+1, answer.Status), p.close())
		}
		p.ended.Go(func() {
			defer answer.Body.Close()
			events := bufio.NewReaderSize(answer.Body, 64<<10)
			for {
				line, err := events.ReadSlice('\n')
				if bytes.HasPrefix(line, []byte("event: changes")) {
					p.counts[i].Add(1)
				}
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
					if ctx.Err() == nil {
						err = fmt.Errorf("page %d: %w", i+1, err)
						p.failed.Store(&err)
					}
					return
				}
			}
		})
	}
	return p, nil
}

// awaitChanges waits until each page got a change. The error says which page got none, or was
// closed.
func (p *pages) awaitChanges(ctx context.Context) error { return await(ctx, p.check) }

// check returns an error if a page was closed, or got no change.
func (p *pages) check() error {
	if err := p.failed.Load(); err != nil {
		return *err
	}
	for i := range p.counts {
		if p.counts[i].Load() == 0 {
			return fmt.Errorf("page %d got no change", i+1)
		}
	}
	return nil
}

func (p *pages) close() error {
	p.stop()
	p.ended.Wait()
	return nil
}
