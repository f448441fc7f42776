package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

// unhex decodes hexadecimal digits with spaces between them.
func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRequest(t *testing.T) {
	const vector = "45 50 47 31  00 07  00 00 00 00 49 96 02 d2"
	want := request{channel: 7, at: time.Unix(1234567890, 0)}
	if got := appendRequest(nil, want); !bytes.Equal(got, unhex(t, vector)) {
		t.Errorf("appended % x, want %s", got, vector)
	}
	if got, err := readRequest(bytes.NewReader(unhex(t, vector))); err != nil || got != want {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	if _, err := readRequest(strings.NewReader("GET / HTTP/1.0\r\n")); !errors.Is(err, errMagic) {
		t.Errorf("request of another protocol: error %v, want errMagic", err)
	}
}

func TestAnswer(t *testing.T) {
	const vector = "45 50 47 31  00  00 00 00 00 49 96 02 d2  00 00 07 08  04  4e 65 77 73"
	want := programme{start: time.Unix(1234567890, 0), duration: 30 * time.Minute, title: "News"}
	if got := appendAnswer(nil, &want); !bytes.Equal(got, unhex(t, vector)) {
		t.Errorf("appended % x, want %s", got, vector)
	}
	if got, err := readAnswer(bytes.NewReader(unhex(t, vector))); err != nil || got != want {
		t.Errorf("read %v, %v, want %v", got, err, want)
	}
	if _, err := readAnswer(bytes.NewReader(appendAnswer(nil, nil))); !errors.Is(err, errNoSuchChannel) {
		t.Errorf("answer without a programme: error %v, want errNoSuchChannel", err)
	}
	for n := range len(unhex(t, vector)) {
		if p, err := readAnswer(bytes.NewReader(unhex(t, vector)[:n])); err == nil {
			t.Errorf("answer cut to %d bytes: got %v, want an error", n, p)
		}
	}
}

func TestGuide(t *testing.T) {
	at := time.Unix(1234567890, 0)
	for channel := range uint16(channels + 2) {
		p := onAir(channel, at)
		if exists := channel >= 1 && channel <= channels; exists != (p != nil) {
			t.Errorf("channel %d: got %v, want a programme: %t", channel, p, exists)
		} else if exists && (p.start.After(at) || !p.start.Add(p.duration).After(at)) {
			t.Errorf("channel %d: %v is not on at %v", channel, p, at)
		}
	}
}
