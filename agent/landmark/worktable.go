package landmark

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	firstBlock = 64 // slots
	maxBlocks  = 12 // 262,080 slots, 4 MiB
	maxProbes  = 8  // slots to try in one block before the next block
)

// A workTable holds the open pieces of work of a [Deadline], each in a slot of
// its own. begin finds a free slot by trying a few from a random index on, so
// cores rarely meet, and no lock and no list is needed. In exchange, a sample
// reads every slot. Times are durations since the declaration of the landmark.
type workTable struct {
	// blocks are allocated in order, as needed. Each has twice as many slots as
	// the one before, a power of two.
	blocks [maxBlocks]atomic.Pointer[[]slot]
}

// A slot holds one piece of work at a time.
type slot struct {
	// state is the number of pieces that began in this slot, above two bits. The
	// number distinguishes each piece from the next, so that ending a piece twice
	// is harmless.
	state atomic.Uint64
	begun atomic.Int64 // when, in nanoseconds; valid while open
}

// The low bits of a slot's state. When both are 0, the slot is free.
const (
	claimed   = 0b01 // taken, and not open yet
	open      = 0b10
	watched   = 0b11 // open, and its end is worth a wake
	stateBits = 2
)

// begin adds a piece of work that begins now. It returns a nil slot when it finds
// no free one. grown reports whether the table had to grow, as it does for the
// first piece of work.
func (t *workTable) begin(now time.Duration) (s *slot, state uint64, grown bool) {
	for i := range t.blocks {
		block := t.blocks[i].Load()
		if block == nil {
			block, grown = t.grow(i), true
		}
		index := rand.Uint32()
		for range maxProbes {
			s := &(*block)[index&uint32(len(*block)-1)]
			if state, ok := s.begin(now); ok {
				return s, state, grown
			}
			index++
		}
	}
	return nil, 0, grown
}

// grow allocates block i, unless another goroutine was faster.
func (t *workTable) grow(i int) *[]slot {
	block := make([]slot, firstBlock<<i)
	t.blocks[i].CompareAndSwap(nil, &block)
	return t.blocks[i].Load()
}

// begin opens the slot if it is free.
func (s *slot) begin(now time.Duration) (state uint64, ok bool) {
	state = s.state.Load()
	if state&watched != 0 || !s.state.CompareAndSwap(state, state|claimed) {
		return 0, false
	}
	// A sample skips the slot until its time is stored.
	s.begun.Store(int64(now))
	state += 1<<stateBits | open
	s.state.Store(state)
	return state, true
}

// end frees the slot if it still holds the piece of work that began with state.
// It reports whether the caller must wake the watchers.
func (s *slot) end(state uint64) (wake bool) {
	free := state &^ watched
	return !s.state.CompareAndSwap(state, free) && s.state.CompareAndSwap(free|watched, free)
}

// A workSample is what is known of the pieces of work at one instant.
type workSample struct {
	begun, pending uint64
	oldest         time.Duration // when the oldest pending one began
}

// sample reads every slot. From then on, the end of a piece of work that began at
// late or before requests a wake.
func (t *workTable) sample(late time.Duration) workSample {
	sample := workSample{oldest: math.MaxInt64}
	for i := range t.blocks {
		block := t.blocks[i].Load()
		if block == nil {
			break
		}
		for j := range *block {
			(*block)[j].addTo(&sample, late)
		}
	}
	return sample
}

// addTo adds the slot to sample.
func (s *slot) addTo(sample *workSample, late time.Duration) {
	state := s.state.Load()
	sample.begun += state >> stateBits
	if state&open == 0 {
		return
	}
	began := time.Duration(s.begun.Load())
	if began <= late {
		s.state.CompareAndSwap(state&^watched|open, state|watched)
	}
	if now := s.state.Load(); (now^state)&^watched != 0 || now&open == 0 {
		return // it has ended meanwhile, and another one that began here is new
	}
	sample.pending++
	sample.oldest = min(sample.oldest, began)
}
