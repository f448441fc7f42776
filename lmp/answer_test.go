package lmp

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/landmark-health/landmark/internal/contract"
)

// A checker that compares bytes relies on this: an answer to CHECK is serving if and
// only if it begins with 4C 4D 01 81 01.
func TestOnlyServingHasServingPrefix(t *testing.T) {
	serving := []byte{0x4C, 0x4D, 0x01, 0x81, 0x01}
	for kind := KindCheck; kind <= KindDescribe; kind++ {
		for status := range 256 {
			a := Answer{Kind: kind, Status: Status(status), Weight: 100}
			b := AppendAnswer(nil, &a, MaxLength, nil)
			want := kind == KindCheck && a.Status == StatusServing
			if got := bytes.HasPrefix(b, serving); got != want {
				t.Errorf("%v, %v: has the serving prefix: %v, want %v", kind, a.Status, got, want)
			}
		}
	}
}

func TestCheckAnswersHaveFixedLength(t *testing.T) {
	key := testKey(t)
	for _, kind := range []Kind{KindCheck, KindWatch} {
		a := goldenAnswers["describe, stalled"]
		a.Kind = kind
		for _, limit := range []int{0, 40, MaxLength} {
			if n := len(AppendAnswer(nil, &a, limit, nil)); n != 32 {
				t.Errorf("%v, limit %d: %d bytes, want 32", kind, limit, n)
			}
			if n := len(AppendAnswer(nil, &a, limit, key)); n != 54 {
				t.Errorf("%v, limit %d, signed: %d bytes, want 54", kind, limit, n)
			}
		}
	}
}

// At every limit, an answer has at most so many bytes, omits whole fields from the end,
// and is marked as truncated if and only if it omits one.
func TestDescribeKeepsToLimit(t *testing.T) {
	full := goldenAnswers["describe, stalled"]
	for _, key := range []*Key{nil, testKey(t)} {
		minimum := HeaderLength
		if key != nil {
			minimum += authentication
		}
		whole := len(AppendAnswer(nil, &full, MaxLength, key))
		for limit := minimum; limit <= whole+1; limit++ {
			b := AppendAnswer(nil, &full, limit, key)
			if len(b) > limit {
				t.Fatalf("limit %d: %d bytes", limit, len(b))
			}
			got, err := ParseAnswer(b)
			if err != nil {
				t.Fatalf("limit %d: %v", limit, err)
			}
			if want := limit < whole; got.Truncated != want {
				t.Errorf("limit %d: truncated %v, want %v", limit, got.Truncated, want)
			}
			if n := len(got.Landmarks); n > 0 && !reflect.DeepEqual(got.Landmarks, full.Landmarks[:n]) {
				t.Errorf("limit %d: the landmarks are %v, want the first %d", limit, got.Landmarks, n)
			}
			if fits := limit >= minimum+2+len(full.Reason); fits != (got.Reason == full.Reason) {
				t.Errorf("limit %d: the reason is %q", limit, got.Reason)
			}
			if key != nil && key.Verify(b) != nil {
				t.Errorf("limit %d: %v", limit, key.Verify(b))
			}
		}
	}
}

// With more landmarks than a frame can have, the answer still has a valid length.
func TestDescribeOfTooManyLandmarks(t *testing.T) {
	a := Answer{Kind: KindDescribe, Landmarks: make([]Landmark, 70000)}
	for _, limit := range []int{MaxLength, math.MaxInt} {
		b := AppendAnswer(nil, &a, limit, testKey(t))
		got, err := ParseAnswer(b)
		if err != nil {
			t.Fatal(err)
		}
		if want := (MaxLength - 54) / 18; !got.Truncated || len(got.Landmarks) != want {
			t.Errorf("truncated %v with %d landmarks, want %d", got.Truncated, len(got.Landmarks), want)
		}
	}
}

func TestAppendAnswerKeepsTruncated(t *testing.T) {
	a := Answer{Kind: KindDescribe, Truncated: true}
	got, err := ParseAnswer(AppendAnswer(nil, &a, MaxLength, nil))
	if err != nil || !got.Truncated {
		t.Errorf("truncated %v, %v; want true", got.Truncated, err)
	}
}

func TestLongTextIsCutAtRune(t *testing.T) {
	for offset := range 4 {
		text := strings.Repeat("x", offset) + strings.Repeat("€", 100)
		a := Answer{Kind: KindDescribe, Reason: text, Landmarks: []Landmark{{Kind: LandmarkAlive, Name: text}}}
		got, err := ParseAnswer(AppendAnswer(nil, &a, MaxLength, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, cut := range []struct {
			got   string
			limit int
		}{{got.Reason, 255}, {got.Landmarks[0].Name, 239}} {
			if !utf8.ValidString(cut.got) || !strings.HasPrefix(text, cut.got) || len(cut.got) > cut.limit || len(cut.got) < cut.limit-2 {
				t.Errorf("with %d bytes before the runes, the text is cut to %d bytes, %q", offset, len(cut.got), cut.got)
			}
		}
	}
	if got := contract.CutText(strings.Repeat("\x80", 300), 255); len(got) < 251 || len(got) > 255 {
		t.Errorf("text that is not UTF-8 is cut to %d bytes, want 251 to 255", len(got))
	}
}

func TestAppendAnswerAllocatesNothing(t *testing.T) {
	for _, name := range []string{"check, serving", "describe, stalled"} {
		a := goldenAnswers[name]
		buf := make([]byte, 0, MaxDatagram)
		if n := testing.AllocsPerRun(100, func() { buf = AppendAnswer(buf[:0], &a, MaxDatagram, nil) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	for _, file := range []string{"answers.hex", "lenient.hex", "malformed.hex"} {
		for _, v := range readVectors(f, file) {
			f.Add(v.frame)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAnswer(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not match ErrMalformed", err)
			}
			return
		}
		again := AppendAnswer(nil, &a, MaxLength, nil)
		a2, err := ParseAnswer(again)
		if err != nil {
			t.Fatalf("the encoded answer does not parse: %v", err)
		}
		// Compare bytes, since a value may be NaN.
		if b2 := AppendAnswer(nil, &a2, MaxLength, nil); !bytes.Equal(b2, again) {
			t.Fatalf("% X became\n% X", again, b2)
		}
		frame, _ := cutFrame(b)
		if isCanonicalAnswer(frame) && !bytes.Equal(again, frame) {
			t.Fatalf("% X became\n% X", frame, again)
		}
	})
}

// isCanonicalAnswer reports whether a valid frame is one that a writer without a key
// sends.
func isCanonicalAnswer(frame []byte) bool {
	if frame[18] != 0 || frame[19]&^3 != 0 {
		return false
	}
	fields := frame[HeaderLength:]
	if frame[3] != 0x83 {
		return len(fields) == 0
	}
	for first := true; len(fields) > 0; first = false {
		kind, value := fields[0], fields[2:2+int(fields[1])]
		isReason := kind == fieldReason && first && len(value) > 0
		isLandmark := kind == fieldLandmark && value[3] == 0
		if !isReason && !isLandmark {
			return false
		}
		fields = fields[2+len(value):]
	}
	return true
}

func BenchmarkAppendAnswer(b *testing.B) {
	for _, name := range []string{"check, serving", "describe, stalled"} {
		b.Run(strings.ReplaceAll(name, ", ", "-"), func(b *testing.B) {
			a := goldenAnswers[name]
			buf := make([]byte, 0, MaxDatagram)
			b.ReportAllocs()
			for b.Loop() {
				buf = AppendAnswer(buf[:0], &a, MaxDatagram, nil)
			}
		})
	}
}

// BenchmarkAnswerRequest is the work of a server for one CHECK, without the lookup.
func BenchmarkAnswerRequest(b *testing.B) {
	for _, bb := range []struct {
		name string
		keys Keys
	}{{"unsigned", nil}, {"signed", Keys{testKey(b)}}} {
		b.Run(bb.name, func(b *testing.B) {
			var signWith *Key
			if len(bb.keys) > 0 {
				signWith = bb.keys[0]
			}
			frame := mustRequest(b, Request{Kind: KindCheck, Service: []byte("epg"), Nonce: 1}, signWith)
			a := Answer{Status: StatusServing, Weight: 100, Age: 20 * time.Millisecond, StatusAge: time.Hour}
			buf := make([]byte, 0, MaxDatagram)
			b.ReportAllocs()
			for b.Loop() {
				q, err := ParseRequest(frame)
				if err != nil {
					b.Fatal(err)
				}
				var key *Key
				if len(bb.keys) > 0 {
					if key, err = bb.keys.Verify(frame); err != nil {
						b.Fatal(err)
					}
				}
				a.Kind, a.Nonce = q.Kind, q.Nonce
				buf = AppendAnswer(buf[:0], &a, MaxDatagram, key)
			}
		})
	}
}
