package socket

import (
	"io"
	"slices"
	"testing"
)

type closerFunc func() error

func (f closerFunc) Close() error { return f() }

// A connection whose peer does not read goes before one that has sent nothing, also if it
// was ranked before as one that goes last. Once the peer reads, it goes last again.
func TestUnreadGoesFirst(t *testing.T) {
	for _, reads := range []bool{false, true} {
		s := NewSlots(Quota[string]{Limit: 3, Closed: func(string) {}})
		var slots [5]Slot
		var displaced []int
		take := func(i int) {
			t.Helper()
			var conn io.Closer = closerFunc(func() error {
				displaced = append(displaced, i)
				slots[i].Free()
				return nil
			})
			if !s.Take(&slots[i], "client", conn) {
				t.Fatalf("connection %d got no slot", i)
			}
		}
		for i := range 3 {
			take(i)
			slots[i].MarkAnswered()
		}
		take(3) // which ranks the others
		slots[2].MarkUnread(true)
		if reads {
			slots[2].MarkUnread(false)
		}
		take(4)
		want := []int{0, 2}
		if reads {
			want = []int{0, 3}
		}
		if !slices.Equal(displaced, want) {
			t.Errorf("the peer reads: %v: displaced %v, want %v", reads, displaced, want)
		}
	}
}
