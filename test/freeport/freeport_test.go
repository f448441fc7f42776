package freeport

import (
	"net"
	"testing"
)

// Two servers never get one address, also if the first does not listen yet. A port that a
// process has is left out.
func TestAddress(t *testing.T) {
	seen := make(map[string]bool)
	for range 200 {
		address, err := Address()
		if err != nil {
			t.Fatal(err)
		}
		if seen[address] {
			t.Fatalf("%s was returned twice", address)
		}
		seen[address] = true
	}
	address, err := Address()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tried.Add(-1)
	if again, err := Address(); err != nil || again == address {
		t.Errorf("got %s, %v while a process listens there", again, err)
	}
}
