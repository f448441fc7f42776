package lmp

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// This package parses each example of the specification and encodes it as the same
// bytes.
func TestSpecificationExamples(t *testing.T) {
	spec := readSpecification(t)
	key := specificationKey(t, spec)
	example := regexp.MustCompile("(?ms)^```lmp-(request|answer)(-signed)?\n(.*?)^```$")
	seen := make(map[string]bool)
	for _, m := range example.FindAllStringSubmatch(spec, -1) {
		direction, signed, frame := m[1], m[2] != "", unhex(t, m[3])
		var signWith *Key
		if signed {
			if err := key.Verify(frame); err != nil {
				t.Errorf("%v:\n%s", err, m[0])
			}
			signWith = key
		}
		var kind Kind
		var again []byte
		if direction == "request" {
			q, err := ParseRequest(frame)
			if err != nil {
				t.Errorf("%v:\n%s", err, m[0])
				continue
			}
			kind, again = q.Kind, mustRequest(t, q, signWith)
		} else {
			a, err := ParseAnswer(frame)
			if err != nil {
				t.Errorf("%v:\n%s", err, m[0])
				continue
			}
			kind, again = a.Kind, AppendAnswer(nil, &a, MaxLength, signWith)
		}
		if !bytes.Equal(again, frame) {
			t.Errorf("encoded as % X:\n%s", again, m[0])
		}
		seen[kind.String()+" "+direction+m[2]] = true
	}
	for _, want := range []string{
		"check request", "check answer", "check request-signed", "check answer-signed",
		"describe request", "describe answer", "watch request", "watch answer",
	} {
		if !seen[want] {
			t.Errorf("there is no example of a %s", want)
		}
	}
}

// The configurations of checkers that compare bytes, in the specification and the
// README, send a CHECK of epg and expect the beginning of its serving answer.
func TestSpecificationByteCheckers(t *testing.T) {
	spec := readSpecification(t)
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	spec += string(readme)
	payloads := regexp.MustCompile(`(?m)^ *(?:payload|tcp-check send-binary) ([0-9A-F]+)$`).FindAllStringSubmatch(spec, -1)
	replies := regexp.MustCompile(`(?m)^ *(?:require_reply |tcp-check expect min-recv 32 rbinary \^)([0-9A-F]+)$`).FindAllStringSubmatch(spec, -1)
	if len(payloads) != 3 || len(replies) != 3 {
		t.Fatalf("found %d payloads and %d replies, want those of keepalived and HAProxy, and the README's", len(payloads), len(replies))
	}
	for i := range payloads {
		q, err := ParseRequest(unhex(t, payloads[i][1]))
		if err != nil || q.Kind != KindCheck || string(q.Service) != "epg" || q.Length*2 != len(payloads[i][1]) {
			t.Errorf("%s is %+v, %v", payloads[i][0], q, err)
		}
		answer := AppendAnswer(nil, &Answer{Kind: KindCheck, Status: StatusServing}, MaxLength, nil)
		if want := unhex(t, replies[i][1]); len(want) != 5 || !bytes.HasPrefix(answer, want) {
			t.Errorf("%s is not the beginning of % X", replies[i][0], answer)
		}
	}
}

func readSpecification(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "docs", "lmp.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// specificationKey reads the key of the specification's examples, which has the form
// of a key file.
func specificationKey(t *testing.T, spec string) *Key {
	t.Helper()
	m := regexp.MustCompile("(?ms)^```lmp-keys\n(.*?)^```$").FindStringSubmatch(spec)
	if m == nil {
		t.Fatal("the specification has no key")
	}
	keys, err := ReadKeys(writeKeys(t, 0o600, m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return keys[0]
}
