package bfd

import (
	"testing"
	"time"
)

var landmarkKey = Key{Number: 7, Secret: [MaxSecret]byte([]byte("landmark\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))}

func TestKeyVerifiesWhatItAuthenticates(t *testing.T) {
	plain := Packet{State: Up, Multiplier: 3, MyDiscriminator: 1, YourDiscriminator: 2, DesiredMinTX: time.Second, RequiredMinRX: time.Second}
	b := landmarkKey.Append([]byte("before"), plain, 0x01020304)[len("before"):]
	p, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if !landmarkKey.Verify(b, &p) || p.Authentication.Sequence != 0x01020304 {
		t.Errorf("%x is not verified", b)
	}
	for i := range b {
		changed := append([]byte(nil), b...)
		changed[i] ^= 0x04
		if p, err := Parse(changed); err == nil && landmarkKey.Verify(changed, &p) {
			t.Errorf("%x is verified, with byte %d changed", changed, i)
		}
	}
	other := landmarkKey
	other.Secret[0]++
	if other.Verify(b, &p) {
		t.Error("another secret verifies the packet")
	}
	other = landmarkKey
	other.Number++
	if other.Verify(b, &p) {
		t.Error("a key with another number verifies the packet")
	}
	unsigned := plain.Append(nil)
	if landmarkKey.Verify(unsigned, &plain) {
		t.Error("a packet without authentication is verified")
	}
}

// Numbers may repeat, but not go back, nor ahead by more than three detection times.
func TestReceivedSequence(t *testing.T) {
	var q sequence
	for i, step := range []struct {
		number uint32
		want   bool
	}{
		{0xfffffffe, true}, {0xfffffffe, true}, {0xfffffffd, false}, {0xffffffff, true}, {8, true}, {7, false}, {18, false}, {17, true},
	} {
		p := Packet{Multiplier: 3, Authentication: Authentication{Sequence: step.number}}
		if got := q.receive(&p); got != step.want {
			t.Errorf("step %d: number %x is accepted: %v, want %v", i, step.number, got, step.want)
		}
	}
	q.forgetReceived()
	if !q.receive(&Packet{Multiplier: 3, Authentication: Authentication{Sequence: 1}}) {
		t.Error("no number is accepted from a peer that has started again")
	}
}

// Sent numbers follow the time, one at a time, and never go back.
func TestSentSequence(t *testing.T) {
	var q sequence
	for i, step := range []struct{ time, want uint32 }{
		{0xfffffffe, 0xfffffffe}, {0xfffffffe, 0xfffffffe}, {0xfffffff0, 0xfffffffe}, {0xffffffff, 0xffffffff}, {5, 0}, {5, 1}, {1, 1}, {2, 2},
	} {
		if got := q.send(step.time, false, 0); got != step.want {
			t.Errorf("step %d: at %x the number is %x, want %x", i, step.time, got, step.want)
		}
	}
}
