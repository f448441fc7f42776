package lmp

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

// countingSource counts the lookups.
type countingSource struct {
	frontend.Source
	lookups int
}

func (s *countingSource) Lookup(name []byte, maxAge time.Duration) (registry.Answer, bool) {
	s.lookups++
	return s.Source.Lookup(name, maxAge)
}

// withNonce returns the request with another nonce, and no other signature.
func withNonce(q []byte, nonce uint64) []byte {
	q = bytes.Clone(q)
	binary.BigEndian.PutUint64(q[8:], nonce)
	return q
}

// Equal CHECKs that arrive together are answered by one lookup, each with its nonce, and
// all are counted. Those of another read are looked up again.
func TestEqualChecksAreAnsweredTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source, tracker := &countingSource{Source: f.registry}, frontendtest.NewTracker()
		f.config.Source, f.config.Checkers = source, tracker
		conn, done := f.connect()
		in := make([]byte, 1<<16)
		answers := 0
		for _, tt := range []struct {
			names   []string
			lookups int
		}{
			{slices.Repeat([]string{"epg"}, 16), 1},
			{[]string{"epg"}, 1},
			{[]string{"epg", "epg", "epg-liveness", "epg-liveness", "epg"}, 3},
			{slices.Repeat([]string{"epg"}, frontend.MaxTogether+1), 2},
			{slices.Repeat([]string{"absent"}, 3), 1},
		} {
			var requests [][]byte
			for i, name := range tt.names {
				requests = append(requests, withNonce(check(t, name), uint64(1000+i)))
			}
			source.lookups = 0
			write(t, conn, slices.Concat(requests...))
			n, err := conn.Read(in)
			if err != nil || n != len(requests)*lmp.HeaderLength {
				t.Fatalf("received %d bytes, %v; want %d answers at once", n, err, len(requests))
			}
			for i, q := range requests {
				a := parseAnswer(t, in[i*lmp.HeaderLength:(i+1)*lmp.HeaderLength], q)
				if want := map[bool]lmp.Status{false: lmp.StatusServing, true: lmp.StatusUnknownService}[tt.names[i] == "absent"]; a.Status != want {
					t.Errorf("%s is %v, want %v", tt.names[i], a.Status, want)
				}
			}
			if source.lookups != tt.lookups {
				t.Errorf("%d lookups for %q, want %d", source.lookups, tt.names, tt.lookups)
			}
			answers += len(requests)
		}
		if _, tcp := f.Answers(); tcp.Count() != uint64(answers) {
			t.Errorf("%d answers are counted, want %d", tcp.Count(), answers)
		}
		known, unknown := tracker.ByService("epg"), tracker.Unknown()
		if len(known) != 1 || len(unknown) != 1 || known[0].Total != uint64(answers-3) || unknown[0].Total != 3 {
			t.Errorf("recorded are %+v, and of unknown names %+v; want %d and 3 checks", known, unknown, answers-3)
		}
		conn.Close()
		<-done
	})
}

// A DESCRIBE costs much, so each gets a visit of its own.
func TestEqualDescribesAreEachLookedUp(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		source := &countingSource{Source: f.registry}
		f.config.Source = source
		conn, done := f.connect()
		q := describe(t, "epg")
		write(t, conn, slices.Concat(q, q, q))
		for range 3 {
			parseAnswer(t, readFrame(t, conn), q)
		}
		conn.Close()
		<-done
		if source.lookups != 3 {
			t.Errorf("%d lookups, want 3", source.lookups)
		}
	})
}

// Each signature is verified, also of a request that differs from the one before in its
// nonce alone.
func TestEqualSignedChecksAreEachVerified(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		k := newKey(t, 1, "a")
		f.config.Keys = lmp.Keys{k}
		conn, done := f.connect()
		q := lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), Nonce: 1}
		good := newRequest(t, q, k)
		q.Nonce = 2
		next := newRequest(t, q, k)
		write(t, conn, slices.Concat(good, next, withNonce(next, 3), good))
		for _, q := range [][]byte{good, next} {
			b := readFrame(t, conn)
			wantAnswer(t, parseAnswer(t, b, q), lmp.StatusServing, lmp.CauseNone)
			if err := k.Verify(b); err != nil {
				t.Error(err)
			}
		}
		f.wantClosedAfter(done, 0, unauthenticated)
		wantClosed(t, conn)
	})
}
