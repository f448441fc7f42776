package lmp

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// The answer is repeated for the equal requests, each with its own nonce, up to the first
// that differs in anything else, or is not whole.
func TestAnswerIsRepeatedForEqualRequests(t *testing.T) {
	q := Request{Kind: KindCheck, Nonce: 1, MaxAge: time.Second, Service: []byte("epg")}
	frame := mustRequest(t, q, nil)
	again := func(nonce uint64) []byte { q := q; q.Nonce = nonce; return mustRequest(t, q, nil) }
	answer := Answer{Kind: KindCheck, Nonce: 1, Status: StatusNotServing, Cause: CauseStalled, Failing: 2, Age: time.Second, StatusAge: time.Minute, Changes: 3}
	for name, other := range map[string]Request{
		"kind":            {Kind: KindDescribe, MaxAge: q.MaxAge, Service: q.Service},
		"max_age":         {Kind: q.Kind, MaxAge: q.MaxAge + time.Millisecond, Service: q.Service},
		"service":         {Kind: q.Kind, MaxAge: q.MaxAge, Service: []byte("vod")},
		"longer service":  {Kind: q.Kind, MaxAge: q.MaxAge, Service: []byte("epg-liveness")},
		"shorter service": {Kind: q.Kind, MaxAge: q.MaxAge, Service: []byte("ep")},
		"no service":      {Kind: q.Kind, MaxAge: q.MaxAge},
	} {
		last := mustRequest(t, other, nil)
		var b, want []byte
		for _, n := range []uint64{2, 0, 1<<64 - 1} {
			b = append(b, again(n)...)
			a := answer
			a.Nonce = n
			want = AppendAnswer(want, &a, MaxLength, nil)
		}
		out := AppendAnswer([]byte("before"), &answer, MaxLength, nil)
		begin := slices.Clone(out)
		for _, last := range [][]byte{last, again(4)[:len(frame)-1]} {
			got, n := AppendRepeated(out, out[len(out)-HeaderLength:], frame, append(b, last...))
			if n != 3 || !bytes.Equal(got, append(begin, want...)) {
				t.Errorf("before another %s: %d are repeated, want 3:\n% X", name, n, got)
			}
		}
	}
}

func TestAppendRepeatedAllocatesNothing(t *testing.T) {
	frame := mustRequest(t, Request{Kind: KindCheck, Service: []byte("epg")}, nil)
	all := bytes.Repeat(frame, 16)
	a := goldenAnswers["check, serving"]
	answer, buf := AppendAnswer(nil, &a, MaxLength, nil), make([]byte, 0, MaxDatagram)
	if n := testing.AllocsPerRun(100, func() { buf, _ = AppendRepeated(buf[:0], answer, frame, all) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkAppendRepeated(b *testing.B) {
	frame := mustRequest(b, Request{Kind: KindCheck, Service: []byte("epg")}, nil)
	all := bytes.Repeat(frame, 16)
	a := goldenAnswers["check, serving"]
	answer, buf := AppendAnswer(nil, &a, MaxLength, nil), make([]byte, 0, MaxDatagram)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = AppendRepeated(buf[:0], answer, frame, all)
	}
}
