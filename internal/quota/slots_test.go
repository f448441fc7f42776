package quota

import "testing"

// takeAll takes slots until there are none for the client, and returns how many.
func takeAll(s *Slots, client any) (n int) {
	for s.Take(client) {
		n++
	}
	return n
}

func TestSlotsLeaveSomeToOtherClients(t *testing.T) {
	s := NewSlots(12)
	for i, want := range []int{6, 3, 2, 1, 0} {
		if got := takeAll(s, i); got != want {
			t.Errorf("client %d got %d slots, want %d", i, got, want)
		}
	}
	for range 6 {
		s.GiveBack(0)
	}
	if got := s.Taken(); got != 6 {
		t.Errorf("%d slots are taken, want 6", got)
	}
	if got := takeAll(s, 3); got != 3 {
		t.Errorf("client 3 got %d slots more, want 3: it has four then, and three are free", got)
	}
	if got := takeAll(s, 4); got != 2 {
		t.Errorf("another client got %d slots, want 2: half of what is left", got)
	}
}

func TestSlotsForgetClients(t *testing.T) {
	s := NewSlots(12)
	for i := range 1000 {
		if !s.Take(i) {
			t.Fatalf("client %d gets no slot", i)
		}
		s.GiveBack(i)
	}
	if n := len(s.held); n != 0 {
		t.Errorf("%d clients are remembered", n)
	}
}
