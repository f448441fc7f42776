package lmp

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestParseRequestDoesNotCopyService(t *testing.T) {
	frame := mustRequest(t, Request{Kind: KindCheck, Service: []byte("epg")}, nil)
	q, err := ParseRequest(frame)
	if err != nil {
		t.Fatal(err)
	}
	if &q.Service[0] != &frame[HeaderLength+2] {
		t.Error("the service was copied")
	}
	if cap(q.Service) != len(q.Service) {
		t.Error("appending to the service would write into the frame")
	}
}

func TestParseRequestsOnStream(t *testing.T) {
	stream := mustRequest(t, Request{Kind: KindCheck, Nonce: 1, Service: []byte("epg")}, nil)
	stream = append(stream, mustRequest(t, Request{Kind: KindDescribe, Nonce: 2}, testKey(t))...)
	var nonces []uint64
	for len(stream) > 0 {
		q, err := ParseRequest(stream)
		if err != nil {
			t.Fatal(err)
		}
		nonces = append(nonces, q.Nonce)
		stream = stream[q.Length:]
	}
	if len(nonces) != 2 || nonces[0] != 1 || nonces[1] != 2 {
		t.Errorf("parsed the requests %v, want 1 and 2", nonces)
	}
}

func TestAppendRequestRoundsMaxAge(t *testing.T) {
	for _, tt := range []struct{ age, want time.Duration }{
		{-time.Second, 0},
		{1, time.Millisecond},
		{1999 * time.Microsecond, time.Millisecond},
	} {
		q, err := ParseRequest(mustRequest(t, Request{Kind: KindCheck, MaxAge: tt.age}, nil))
		if err != nil {
			t.Fatal(err)
		}
		if q.MaxAge != tt.want {
			t.Errorf("a max_age of %v is parsed as %v, want %v", tt.age, q.MaxAge, tt.want)
		}
	}
}

func TestAppendRequestRejectsInvalid(t *testing.T) {
	for _, q := range []Request{
		{Kind: 0},
		{Kind: 4},
		{Kind: KindCheck, Service: bytes.Repeat([]byte("s"), 256)},
	} {
		b, err := AppendRequest([]byte("before"), q, nil)
		if !errors.Is(err, ErrMalformed) || string(b) != "before" {
			t.Errorf("AppendRequest(%+v) = %q, %v; want nothing appended and ErrMalformed", q, b, err)
		}
	}
}

func TestParseRequestAllocatesNothing(t *testing.T) {
	good := mustRequest(t, Request{Kind: KindCheck, Service: []byte("epg")}, nil)
	bad := append([]byte(nil), good...)
	bad[2] = 9
	for name, frame := range map[string][]byte{"a good frame": good, "a malformed frame": bad} {
		if n := testing.AllocsPerRun(100, func() { sinkRequest, sinkErr = ParseRequest(frame) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

// The compiler must not remove the calls whose results are stored here.
var (
	sinkRequest Request
	sinkErr     error
)

func mustRequest(t testing.TB, q Request, key *Key) []byte {
	t.Helper()
	b, err := AppendRequest(nil, q, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzRequest(f *testing.F) {
	for _, file := range []string{"requests.hex", "lenient.hex", "malformed.hex"} {
		for _, v := range readVectors(f, file) {
			f.Add(v.frame)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseRequest(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not match ErrMalformed", err)
			}
			return
		}
		again := mustRequest(t, q, nil)
		q2, err := ParseRequest(again)
		if err != nil {
			t.Fatalf("the encoded request does not parse: %v", err)
		}
		if q2.Kind != q.Kind || q2.Nonce != q.Nonce || q2.MaxAge != q.MaxAge || !bytes.Equal(q2.Service, q.Service) {
			t.Fatalf("%+v became %+v", q, q2)
		}
		if isCanonicalRequest(b[:q.Length]) && !bytes.Equal(again, b[:q.Length]) {
			t.Fatalf("% X became\n% X", b[:q.Length], again)
		}
	})
}

// isCanonicalRequest reports whether a valid frame is one that a writer without a key
// sends.
func isCanonicalRequest(frame []byte) bool {
	fields := frame[HeaderLength:]
	return frame[4]|frame[5] == 0 && bytes.Equal(frame[20:32], make([]byte, 12)) &&
		(len(fields) == 0 || fields[0] == fieldService && fields[1] > 0 && len(fields) == 2+int(fields[1]))
}

func BenchmarkParseRequest(b *testing.B) {
	frame := mustRequest(b, Request{Kind: KindCheck, Service: []byte("epg"), Nonce: 1}, nil)
	b.ReportAllocs()
	for b.Loop() {
		sinkRequest, sinkErr = ParseRequest(frame)
	}
}
