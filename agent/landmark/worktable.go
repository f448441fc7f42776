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
	probes     = 8  // slots of a block that are looked at before the next block is
)

// A workTable keeps the pieces of work of a [Deadline] that are open, each in a
// slot of its own, which is found by a few looks at a random place. So cores
// seldom meet, and no lock and no list is needed; it is the reading that looks
// at every slot. Times are since the making of the landmark.
type workTable struct {
	// blocks are made in order, as they are needed, each with twice the slots
	// of the one before, a power of two.
	blocks [maxBlocks]atomic.Pointer[[]slot]
}

// A slot is a place for one piece of work at a time.
type slot struct {
	// state holds how many pieces were begun here, above two bits. The count
	// tells one piece from the next, so that to end a piece twice is harmless.
	state atomic.Uint64
	begun atomic.Int64 // when, in nanoseconds; valid while open
}

// The low bits of a slot's state. With neither of them it is free.
const (
	claimed   = 0b01 // taken, and not yet open
	open      = 0b10
	awaited   = 0b11 // open, and the carriers wait to hear of its end
	stateBits = 2
)

// begin enters a piece of work that begins now. It returns no slot when there
// is none left to be found. grown says that the table had to grow, as it does
// for the first one.
func (t *workTable) begin(now time.Duration) (s *slot, state uint64, grown bool) {
	for i := range t.blocks {
		block := t.blocks[i].Load()
		if block == nil {
			block, grown = t.grow(i), true
		}
		place := rand.Uint32()
		for range probes {
			s := &(*block)[place&uint32(len(*block)-1)]
			if state, ok := s.begin(now); ok {
				return s, state, grown
			}
			place++
		}
	}
	return nil, 0, grown
}

// grow makes block i, unless another goroutine was quicker.
func (t *workTable) grow(i int) *[]slot {
	block := make([]slot, firstBlock<<i)
	t.blocks[i].CompareAndSwap(nil, &block)
	return t.blocks[i].Load()
}

// begin opens the slot if it is free.
func (s *slot) begin(now time.Duration) (state uint64, ok bool) {
	state = s.state.Load()
	if state&awaited != 0 || !s.state.CompareAndSwap(state, state|claimed) {
		return 0, false
	}
	// Readers pass over the slot until its time stands in it.
	s.begun.Store(int64(now))
	state += 1<<stateBits | open
	s.state.Store(state)
	return state, true
}

// end frees the slot if it still holds the piece of work that was begun with
// state, and reports whether the carriers wait to hear of that.
func (s *slot) end(state uint64) (wanted bool) {
	free := state &^ awaited
	return !s.state.CompareAndSwap(state, free) && s.state.CompareAndSwap(free|awaited, free)
}

// A workReading is what is known of the pieces of work at an instant.
type workReading struct {
	begun, pending uint64
	oldest         time.Duration // when the oldest of the pending ones began
}

// read reads every slot. The end of a piece of work that began at late or
// before is awaited from now on.
func (t *workTable) read(late time.Duration) workReading {
	r := workReading{oldest: math.MaxInt64}
	for i := range t.blocks {
		block := t.blocks[i].Load()
		if block == nil {
			break
		}
		for j := range *block {
			(*block)[j].read(&r, late)
		}
	}
	return r
}

// read adds the slot to r.
func (s *slot) read(r *workReading, late time.Duration) {
	state := s.state.Load()
	r.begun += state >> stateBits
	if state&open == 0 {
		return
	}
	began := time.Duration(s.begun.Load())
	if began <= late {
		s.state.CompareAndSwap(state&^awaited|open, state|awaited)
	}
	if now := s.state.Load(); (now^state)&^awaited != 0 || now&open == 0 {
		return // it has ended since, and what else began here is new
	}
	r.pending++
	r.oldest = min(r.oldest, began)
}
