package lmp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// vector is one section of a file in testdata.
type vector struct {
	name    string // between brackets
	comment string // that of the first line
	frame   []byte
}

// readVectors reads testdata/file: sections with a [name] and lines of hex, in which #
// begins a comment.
func readVectors(t testing.TB, file string) []vector {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	_, sections, found := strings.Cut(string(text), "\n[")
	if !found {
		t.Fatalf("%s has no section", file)
	}
	var vectors []vector
	for section := range strings.SplitSeq(sections, "\n[") {
		name, body, _ := strings.Cut(section, "]\n")
		first, _, _ := strings.Cut(body, "\n")
		_, comment, _ := strings.Cut(first, "# ")
		vectors = append(vectors, vector{name, comment, unhex(t, body)})
	}
	return vectors
}

// unhex returns the bytes of lines of hex, in which # begins a comment.
func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return b
}

// testKey returns key 7 of the files in testdata.
func testKey(t testing.TB) *Key {
	t.Helper()
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(0x10 + i)
	}
	key, err := NewKey(7, secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const testNonce = 0x6A09E667F3BCC908

var goldenRequests = map[string]Request{
	"check all services":             {Kind: KindCheck},
	"check epg":                      {Kind: KindCheck, Nonce: testNonce, Service: []byte("epg")},
	"check epg, max_age 250 ms":      {Kind: KindCheck, Nonce: testNonce, Service: []byte("epg"), MaxAge: 250 * time.Millisecond},
	"check epg, longest max_age":     {Kind: KindCheck, Nonce: testNonce, Service: []byte("epg"), MaxAge: 0xFFFFFFFF * time.Millisecond},
	"check the longest service name": {Kind: KindCheck, Nonce: 1, Service: bytes.Repeat([]byte("s"), 255)},
	"check epg, signed":              {Kind: KindCheck, Nonce: testNonce, Service: []byte("epg")},
	"check all services, signed":     {Kind: KindCheck, Nonce: testNonce},
	"watch epg, every 500 ms":        {Kind: KindWatch, Nonce: testNonce, Service: []byte("epg"), MaxAge: 500 * time.Millisecond},
	"watch epg, signed":              {Kind: KindWatch, Nonce: testNonce, Service: []byte("epg")},
	"describe epg-liveness":          {Kind: KindDescribe, Nonce: testNonce, Service: []byte("epg-liveness")},
	"describe epg, signed":           {Kind: KindDescribe, Nonce: testNonce, Service: []byte("epg"), MaxAge: 100 * time.Millisecond},
}

func TestRequestVectors(t *testing.T) {
	vectors := readVectors(t, "requests.hex")
	if len(vectors) != len(goldenRequests) {
		t.Errorf("requests.hex has %d sections, this test has %d", len(vectors), len(goldenRequests))
	}
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			want := goldenRequests[v.name]
			want.Length = len(v.frame)
			got, err := ParseRequest(v.frame)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("parsed %+v, want %+v", got, want)
			}
			key := signer(t, v)
			// Append to other bytes, as in the buffer of a stream.
			b, err := AppendRequest([]byte("before"), got, key)
			if err != nil {
				t.Fatal(err)
			}
			if want := append([]byte("before"), v.frame...); !bytes.Equal(b, want) {
				t.Errorf("encoded\n% X, want\n% X", b, want)
			}
		})
	}
}

// signer verifies v's signature and returns its key, or nil if v is not signed.
func signer(t *testing.T, v vector) *Key {
	t.Helper()
	if !strings.HasSuffix(v.name, "signed") {
		return nil
	}
	key, err := Keys{testKey(t)}.Verify(v.frame)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const testReason = "main loop last passed 3.2 s ago, allowed 2 s"

var (
	mainLoop = Landmark{Kind: LandmarkLoop, State: StateFailing, Impact: ImpactCritical, Age: 3200 * time.Millisecond, Value: 0.004, Name: "main loop"}

	testLandmarks = []Landmark{
		mainLoop,
		{Kind: LandmarkLevel, State: StateDegraded, Impact: ImpactDegrading, Age: 120 * time.Millisecond, Value: 812.5, Name: "queue"},
		{Kind: LandmarkCondition, State: StateOK, Impact: ImpactReadiness, Age: 40 * time.Millisecond, Name: "Datenbank für Sender"},
		{Kind: LandmarkAlive, State: StateUnarmed, Impact: ImpactInformational, Age: 0xFFFFFFFF * time.Millisecond},
		{Kind: LandmarkDeadline, State: StateOK, Impact: ImpactCritical, Age: 7 * time.Millisecond, Value: 3, Name: "recording"},
	}
)

var goldenAnswers = map[string]Answer{
	"check, serving": {Kind: KindCheck, Status: StatusServing, Nonce: testNonce, Weight: 100,
		Age: 120 * time.Millisecond, StatusAge: 24 * time.Hour, Changes: 3},
	"check, serving, degraded": {Kind: KindCheck, Status: StatusServing, Nonce: testNonce, Weight: 40, Degraded: true,
		Age: 35 * time.Millisecond, StatusAge: 2 * time.Second, Changes: 17},
	"check, stalled": {Kind: KindCheck, Status: StatusNotServing, Cause: CauseStalled, Nonce: testNonce, Failing: 1,
		Age: 3200 * time.Millisecond, StatusAge: 1200 * time.Millisecond, Changes: 4},
	"check, draining": {Kind: KindCheck, Status: StatusNotServing, Cause: CauseDraining, Nonce: testNonce,
		Age: 80 * time.Millisecond, StatusAge: 9 * time.Second, Changes: 5},
	"check, unknown service": {Kind: KindCheck, Status: StatusUnknownService, Cause: CauseUnknownService, Nonce: testNonce},
	"check, unknown":         {Kind: KindCheck, Nonce: testNonce},
	"check, everything at its most": {Kind: KindCheck, Status: StatusNotServing, Cause: CauseRecovering, Nonce: 0xFFFFFFFFFFFFFFFF,
		Weight: 100, Failing: 255, Degraded: true, Truncated: true,
		Age: 0xFFFFFFFF * time.Millisecond, StatusAge: 0xFFFFFFFF * time.Millisecond, Changes: 0xFFFFFFFF},
	"check, serving, signed": {Kind: KindCheck, Status: StatusServing, Nonce: testNonce, Weight: 100,
		Age: 120 * time.Millisecond, StatusAge: 24 * time.Hour, Changes: 3},
	"watch, lost": {Kind: KindWatch, Status: StatusNotServing, Cause: CauseLost, Nonce: testNonce,
		Age: 15 * time.Millisecond, Changes: 6},
	"watch, serving, signed": {Kind: KindWatch, Status: StatusServing, Nonce: testNonce, Weight: 100, Changes: 7},
	"describe, nothing to describe": {Kind: KindDescribe, Status: StatusServing, Nonce: testNonce, Weight: 100,
		Age: 120 * time.Millisecond, StatusAge: 24 * time.Hour, Changes: 3},
	"describe, stalled": {Kind: KindDescribe, Status: StatusNotServing, Cause: CauseStalled, Nonce: testNonce, Failing: 1, Degraded: true,
		Age: 3200 * time.Millisecond, StatusAge: 1200 * time.Millisecond, Changes: 4,
		Reason: testReason, Landmarks: testLandmarks},
	"describe, truncated": {Kind: KindDescribe, Status: StatusNotServing, Cause: CauseStalled, Nonce: testNonce, Failing: 1, Truncated: true,
		Age: 3200 * time.Millisecond, StatusAge: 1200 * time.Millisecond, Changes: 4, Reason: testReason},
	"describe, stalled, signed": {Kind: KindDescribe, Status: StatusNotServing, Cause: CauseStalled, Nonce: testNonce, Failing: 1,
		Age: 3200 * time.Millisecond, StatusAge: 1200 * time.Millisecond, Changes: 4,
		Reason: testReason, Landmarks: []Landmark{mainLoop}},
	"describe, longest reason": {Kind: KindDescribe, Status: StatusNotServing, Cause: CauseFailed, Nonce: testNonce,
		Reason: strings.Repeat("r", 255)},
}

func TestAnswerVectors(t *testing.T) {
	vectors := readVectors(t, "answers.hex")
	if len(vectors) != len(goldenAnswers) {
		t.Errorf("answers.hex has %d sections, this test has %d", len(vectors), len(goldenAnswers))
	}
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			got, err := ParseAnswer(v.frame)
			if err != nil {
				t.Fatal(err)
			}
			if want := goldenAnswers[v.name]; !reflect.DeepEqual(got, want) {
				t.Errorf("parsed %+v, want %+v", got, want)
			}
			b := AppendAnswer([]byte("before"), &got, MaxLength, signer(t, v))
			if want := append([]byte("before"), v.frame...); !bytes.Equal(b, want) {
				t.Errorf("encoded\n% X, want\n% X", b, want)
			}
		})
	}
}

func TestParseLenient(t *testing.T) {
	wantRequest := goldenRequests["check epg, max_age 250 ms"]
	wantAnswer := goldenAnswers["describe, truncated"]
	wantAnswer.Truncated = false
	for _, v := range readVectors(t, "lenient.hex") {
		t.Run(v.name, func(t *testing.T) {
			if strings.HasPrefix(v.name, "answer") {
				got, err := ParseAnswer(v.frame)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, wantAnswer) {
					t.Errorf("parsed %+v, want %+v", got, wantAnswer)
				}
				return
			}
			got, err := ParseRequest(v.frame)
			if err != nil {
				t.Fatal(err)
			}
			want := wantRequest
			want.Length = int(v.frame[6])<<8 | int(v.frame[7])
			if !reflect.DeepEqual(got, want) {
				t.Errorf("parsed %+v, want %+v", got, want)
			}
		})
	}
}

func TestParseMalformed(t *testing.T) {
	for _, v := range readVectors(t, "malformed.hex") {
		t.Run(v.name, func(t *testing.T) {
			var err error
			if strings.HasPrefix(v.name, "answer") {
				_, err = ParseAnswer(v.frame)
			} else {
				_, err = ParseRequest(v.frame)
			}
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("the error is %v, want one that matches ErrMalformed", err)
			}
			if want := "malformed frame: " + v.comment; err.Error() != want {
				t.Errorf("the error is %q, want %q", err, want)
			}
		})
	}
}
