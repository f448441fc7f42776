package lmp

import (
	"errors"

	"github.com/landmark-health/landmark/lmp"
)

const (
	// smallBuffer holds any request that checkers usually send. A longer frame
	// gets a buffer of its own while it is read.
	smallBuffer = 512
	// maxLargeFrames is how many connections may read or send a frame longer
	// than smallBuffer at once, each of at most 64 KiB.
	maxLargeFrames = 64
)

var errTooManyLargeFrames = errors.New("too many large frames at once")

// largeFrames is a semaphore with a token for each large frame.
type largeFrames chan struct{}

// acquire takes a token, if one is left.
func (l largeFrames) acquire() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}

// release returns a token.
func (l largeFrames) release() { <-l }

// frames splits a connection's bytes into frames. All connections read into one
// buffer, so that one that waits holds no buffer, but only what it has received of
// the next frame: load gets that into the buffer, and store puts it aside.
type frames struct {
	kept  []byte // between store and load
	large largeFrames
	token bool // kept is one frame longer than smallBuffer, or the beginning of one

	buffer     []byte // between load and store
	begin, end int    // of the bytes not yet returned
}

// load prepares read and next. The buffer, which is as large as that of any load before,
// is for this connection until store. Of it the connection uses size bytes, or what it has
// kept.
func (f *frames) load(buffer []byte, size int) {
	if f.token { // which is for a frame that may be longer than the buffer
		f.buffer, f.begin, f.end = f.kept[:cap(f.kept)], 0, len(f.kept)
		return
	}
	f.buffer, f.begin, f.end = buffer[:max(size, len(f.kept))], 0, copy(buffer, f.kept)
}

// read reads what fits into the buffer.
func (f *frames) read(conn interface{ Read([]byte) (int, error) }) (n int, err error) {
	if f.begin > 0 {
		f.end = copy(f.buffer, f.buffer[f.begin:f.end])
		f.begin = 0
	}
	n, err = conn.Read(f.buffer[f.end:])
	f.end += n
	return n, err
}

// next returns the next frame, which is valid until store, or nil if it is not whole
// yet. The error matches lmp.ErrMalformed.
func (f *frames) next() ([]byte, error) {
	rest := f.buffer[f.begin:f.end]
	n, err := lmp.FrameLength(rest)
	if err != nil || n == 0 || len(rest) < n {
		return nil, err
	}
	f.begin += n
	return rest[:n:n], nil
}

// skip makes next not return the next n bytes, which are whole frames.
func (f *frames) skip(n int) { f.begin += n }

// unread makes next return the frame again that it returned last.
func (f *frames) unread(frame []byte) { f.begin -= len(frame) }

// left returns the bytes of the buffer that next has not returned.
func (f *frames) left() []byte { return f.buffer[f.begin:f.end] }

// unfinished reports whether store has kept the beginning of a frame.
func (f *frames) unfinished() bool { return len(f.kept) > 0 }

// store keeps what next has not returned. The error is errTooManyLargeFrames.
func (f *frames) store() error {
	rest := f.buffer[f.begin:f.end]
	f.buffer = nil
	if f.token {
		if f.begin == 0 { // the buffer is kept's
			f.kept = rest
			return nil
		}
		f.close()
	}
	size := max(len(rest), smallBuffer)
	if n, _ := lmp.FrameLength(rest); n > smallBuffer && n > len(rest) {
		if !f.large.acquire() {
			return errTooManyLargeFrames
		}
		f.token, size = true, n
	}
	switch {
	case len(rest) == 0 && cap(f.kept) > smallBuffer:
		f.kept = nil
	case len(rest) > cap(f.kept) || f.token:
		f.kept = append(make([]byte, 0, size), rest...)
	default:
		f.kept = append(f.kept[:0], rest...)
	}
	return nil
}

// close drops what is kept.
func (f *frames) close() {
	if f.token {
		f.token = false
		f.large.release()
	}
	f.kept = nil
}
