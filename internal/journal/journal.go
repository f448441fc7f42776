package journal

import (
	"crypto/rand"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxQueued limits the waiting lines, by an estimate of their bytes in the file. The
	// goroutine that writes may hold as many again.
	maxQueued = 4 << 20
	// closeTimeout is how long Run waits at its end for the disk.
	closeTimeout = 500 * time.Millisecond
)

// Config configures a Journal.
type Config struct {
	// Dir is the directory of the files. It is made if only its last element is missing.
	Dir string
	// Version is landmarkd's.
	Version string
	// Logger receives that the journal cannot be written; nil = nothing is logged.
	Logger *slog.Logger
}

// Journal writes the journal, and remembers the changes of the last day. New makes it. A
// nil Journal takes no lines and remembers nothing.
type Journal struct {
	config     Config
	run        string
	limits     limits
	past       past
	beforeDisk func()        // called before the disk is used, for tests; may be nil
	wake       chan struct{} // holds a token once there is work, or Run ends
	needFull   chan struct{} // holds a token once full lines are needed
	epoch      atomic.Uint64 // see Epoch

	mu     sync.Mutex // guards the fields below; not held while writing
	queue  []Line
	queued int    // their size
	seq    uint64 // of the next line
	stats  Stats
	gap    bool // lines were lost since the last that was written
	ending bool // Run ends: no line is taken any more
}

// limits are the limits of the files.
type limits struct {
	file int64
	keep int
}

// Stats are what became of the lines of this run.
type Stats struct {
	Written uint64 // lines in files
	Dropped uint64 // lines for which there was no room, or that could not be written
	Bytes   uint64 // written
	Failing bool   // the last attempt to write failed
}

// New returns a journal. It does not touch the disk, which may hang: Run does.
func New(c Config) *Journal {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Journal{
		config:   c,
		run:      rand.Text()[:12],
		limits:   limits{file: MaxFile, keep: Keep},
		wake:     make(chan struct{}, 1),
		needFull: make(chan struct{}, 1),
	}
}

// Write queues a line, or drops it if there is no room. It sets the line's Time and Seq.
// It never blocks, and is safe for concurrent use. What the line refers to must not be
// changed afterwards.
func (j *Journal) Write(l Line) {
	if j == nil {
		return
	}
	l.Time = time.Now()
	if l.Type == TypeVerdict {
		j.past.add(l.Service, l.owner(), Entry{Time: l.Time, Own: true, Change: l.Verdict})
	}
	size := l.Size()
	j.mu.Lock()
	defer j.mu.Unlock()
	l.Seq = j.seq
	j.seq++
	if j.ending || j.queued+size > maxQueued {
		j.stats.Dropped++
		j.gap = true
		return
	}
	j.queue = append(j.queue, l)
	j.queued += size
	signal(j.wake)
}

// Forget says that the service is not known any more, whether or not a line says so. Then
// the memory of its last change may be needed for others.
func (j *Journal) Forget(service string) {
	if j != nil {
		j.past.forget(service)
	}
}

// Epoch changes when a reader could not follow lines that rest on earlier ones: a new file
// was begun, or lines can be written again after some were lost. Then each service needs
// full lines.
func (j *Journal) Epoch() uint64 { return j.epoch.Load() }

// NeedFull receives if Epoch has changed since the last receipt.
func (j *Journal) NeedFull() <-chan struct{} { return j.needFull }

// HalfFull reports whether the queue is half full. A caller that writes many lines at once
// waits while it is.
func (j *Journal) HalfFull() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.queued > maxQueued/2
}

// Stats returns what became of the lines so far.
func (j *Journal) Stats() Stats {
	if j == nil {
		return Stats{}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// Entries returns the changes of the service since the time of day, the oldest first, at
// most MaxEntries. They come from memory: those of this landmarkd, and those that earlier
// ones have left in the directory, once Run has read them. Changes that were made longer
// than a day ago are not remembered.
func (j *Journal) Entries(service string, since time.Time) []Entry {
	if j == nil {
		return nil
	}
	return j.past.since(service, since)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is a token already
	}
}
