package quota

import "testing"

// takeAll takes places until there are none for the client, and returns how many.
func takeAll(p *Places, client any) (n int) {
	for p.Take(client) {
		n++
	}
	return n
}

func TestPlacesLeaveSomeToOtherClients(t *testing.T) {
	p := NewPlaces(12)
	for i, want := range []int{6, 3, 2, 1, 0} {
		if got := takeAll(p, i); got != want {
			t.Errorf("client %d got %d places, want %d", i, got, want)
		}
	}
	for range 6 {
		p.GiveBack(0)
	}
	if got := p.Taken(); got != 6 {
		t.Errorf("%d places are taken, want 6", got)
	}
	if got := takeAll(p, 3); got != 3 {
		t.Errorf("client 3 got %d places more, want 3: it has four then, and three are free", got)
	}
	if got := takeAll(p, 4); got != 2 {
		t.Errorf("another client got %d places, want 2: half of what is left", got)
	}
}

func TestPlacesForgetClients(t *testing.T) {
	p := NewPlaces(12)
	for i := range 1000 {
		if !p.Take(i) {
			t.Fatalf("client %d gets no place", i)
		}
		p.GiveBack(i)
	}
	if n := len(p.held); n != 0 {
		t.Errorf("%d clients are remembered", n)
	}
}
