package bfd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/landmark-health/landmark/internal/bfd"
	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/sleep"
)

const (
	// maxFile is the largest size of the file, in bytes.
	maxFile = 64 << 10
	// fileVersion is the version of the format. landmarkd ignores files of other ones.
	fileVersion = 1
	// writeInterval is the shortest time between two writes.
	writeInterval = time.Second
	// maxInterval is the longest interval of a peer that is remembered: as long as that of
	// landmarkd may be.
	maxInterval = time.Minute
)

// intervals is how often each peer sends while its session is Up. The next landmarkd
// waits for as long before it says that a session is Down.
type intervals struct {
	path    string // of the file; "" = there is none
	logger  *slog.Logger
	changes chan struct{} // holds a token if the file is out of date

	mu  sync.Mutex
	all map[bfd.Pair]time.Duration // guarded by mu
}

// document is the JSON document in the file.
type document struct {
	Version int             `json:"version"`
	Boot    string          `json:"boot"`
	Peers   []savedInterval `json:"peers"`
}

type savedInterval struct {
	bfd.Pair
	Interval time.Duration `json:"interval_ns"`
}

// newIntervals reads the file of the landmarkd before this one. A file that is ignored is
// logged, with the reason.
func newIntervals(path string, logger *slog.Logger) *intervals {
	i := &intervals{path: path, logger: logger, changes: make(chan struct{}, 1), all: make(map[bfd.Pair]time.Duration)}
	if path == "" {
		return i
	}
	if err := i.read(); err != nil && !errors.Is(err, bootfile.ErrMissing) {
		logger.Warn("the file of BFD peers is ignored: this restart may end the sessions of slow peers", "file", path, "why", err)
	}
	return i
}

func (i *intervals) read() error {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return err
	}
	b, err := bootfile.Read(i.path, maxFile)
	if err != nil {
		return err
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return err
	}
	switch {
	case d.Version != fileVersion:
		return fmt.Errorf("it has version %d, and this landmarkd reads %d", d.Version, fileVersion)
	case d.Boot != boot:
		return nil // the peers have missed landmarkd since
	}
	for _, p := range d.Peers {
		i.all[p.Pair] = min(max(0, p.Interval), maxInterval)
	}
	return nil
}

// of returns the interval of a peer, 0 if it is not known.
func (i *intervals) of(p bfd.Pair) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.all[p]
}

// set sets the interval of a peer.
func (i *intervals) set(p bfd.Pair, interval time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if interval = min(interval, maxInterval); i.all[p] != interval {
		i.all[p] = interval
		i.change()
	}
}

// retain forgets all but the given peers.
func (i *intervals) retain(sessions map[bfd.Pair]*session) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := len(i.all)
	maps.DeleteFunc(i.all, func(p bfd.Pair, _ time.Duration) bool { return sessions[p] == nil })
	if len(i.all) != before {
		i.change()
	}
}

func (i *intervals) change() {
	select {
	case i.changes <- struct{}{}:
	default: // there is a token already
	}
}

// run writes the file after each change, until ctx is done, and then what is left.
func (i *intervals) run(ctx context.Context) {
	failed := false
	for {
		select {
		case <-i.changes:
		case <-ctx.Done():
			select {
			case <-i.changes:
			default:
				return
			}
		}
		stopped := ctx.Err() != nil
		err := i.write()
		if err != nil && !failed {
			i.logger.Warn("the file of BFD peers cannot be written: a restart may end the sessions of slow peers", "file", i.path, "why", err)
		}
		failed = err != nil
		switch {
		case stopped:
			return
		case failed:
			i.change()
		}
		sleep.For(ctx, writeInterval)
	}
}

func (i *intervals) write() error {
	if i.path == "" {
		return nil
	}
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return err
	}
	d := document{Version: fileVersion, Boot: boot}
	i.mu.Lock()
	for p, interval := range i.all {
		d.Peers = append(d.Peers, savedInterval{p, interval})
	}
	i.mu.Unlock()
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return bootfile.Replace(i.path, b, maxFile)
}
