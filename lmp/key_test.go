package lmp

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	secret := bytes.Repeat([]byte("s"), 16)
	one, two := mustKey(t, 1, secret), mustKey(t, 2, secret)
	impostor := mustKey(t, 1, bytes.Repeat([]byte("x"), 16))
	q := Request{Kind: KindCheck, Nonce: 5, Service: []byte("epg")}
	signed := mustRequest(t, q, one)

	if key, err := (Keys{two, one}).Verify(signed); key != one || err != nil {
		t.Errorf("with two keys: %v, %v; want the one that signed", key, err)
	}
	if key, err := (Keys{one}).Verify(append(signed[:len(signed):len(signed)], 0, 0)); key != one || err != nil {
		t.Errorf("a padded datagram: %v, %v; want the key that signed", key, err)
	}
	for name, tt := range map[string]struct {
		keys  Keys
		frame []byte
		want  error
	}{
		"no keys":                {nil, signed, ErrUnauthenticated},
		"no keys, unsigned":      {nil, mustRequest(t, q, nil), ErrUnauthenticated},
		"unsigned":               {Keys{one}, mustRequest(t, q, nil), ErrUnauthenticated},
		"no fields":              {Keys{one}, mustRequest(t, Request{Kind: KindCheck}, nil), ErrUnauthenticated},
		"unknown number":         {Keys{two}, signed, ErrUnauthenticated},
		"another secret":         {Keys{impostor}, signed, ErrUnauthenticated},
		"signature in a service": {Keys{one}, mustRequest(t, Request{Kind: KindCheck, Service: signed[len(signed)-authentication:]}, nil), ErrUnauthenticated},
		"malformed":              {Keys{one}, signed[:40], ErrMalformed},
		"malformed field":        {Keys{one}, malformedField(t), ErrMalformed},
	} {
		if key, err := tt.keys.Verify(tt.frame); key != nil || !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v; want %v", name, key, err, tt.want)
		}
	}
}

// Verify rejects a signed frame after a change of any bit.
func TestVerifyCoversEveryBit(t *testing.T) {
	key := testKey(t)
	for _, frame := range [][]byte{
		mustRequest(t, Request{Kind: KindCheck, Nonce: 5, Service: []byte("epg")}, key),
		AppendAnswer(nil, &Answer{Kind: KindCheck, Status: StatusNotServing}, MaxLength, key),
	} {
		for bit := range len(frame) * 8 {
			frame[bit/8] ^= 1 << (bit % 8)
			if key.Verify(frame) == nil {
				t.Errorf("with bit %d of byte %d changed, Verify accepts the frame", bit%8, bit/8)
			}
			frame[bit/8] ^= 1 << (bit % 8)
		}
		if err := key.Verify(frame); err != nil {
			t.Error(err)
		}
	}
}

func TestNewKeyCopiesTheSecret(t *testing.T) {
	secret := bytes.Repeat([]byte("s"), 16)
	key := mustKey(t, 1, secret)
	signed := mustRequest(t, Request{Kind: KindCheck}, key)
	clear(secret)
	if err := mustKey(t, 1, bytes.Repeat([]byte("s"), 16)).Verify(signed); err != nil {
		t.Error(err)
	}
	if err := key.Verify(signed); err != nil {
		t.Error(err)
	}
}

func TestReadKeys(t *testing.T) {
	path := writeKeys(t, 0o600, "# checkers\n\n7:"+strings.Repeat("0f", 32)+"\r\n  4294967295 : "+strings.Repeat("A0", 16)+"  \n")
	keys, err := ReadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || keys[0].Number != 7 || keys[1].Number != 4294967295 {
		t.Fatalf("read %v, want keys 7 and 4294967295", keys)
	}
	signed := mustRequest(t, Request{Kind: KindCheck}, mustKey(t, 7, bytes.Repeat([]byte{0x0F}, 32)))
	if err := keys[0].Verify(signed); err != nil {
		t.Error(err)
	}
}

func TestReadKeysErrors(t *testing.T) {
	good := strings.Repeat("5e", 16)
	for _, tt := range []struct{ text, want string }{
		{"", "the file has no key"},
		{"# nothing\n", "the file has no key"},
		{"7:" + good + "\n8" + good, "line 2: a key is NUMBER:HEX"},
		{":" + good, "line 1: the number"},
		{"-1:" + good, "line 1: the number"},
		{"4294967296:" + good, "line 1: the number"},
		{"#\n\n1:" + good + "5", "line 3: the secret after the colon is not hexadecimal"},
		{"1:" + good[2:] + "zz", "line 1: the secret after the colon is not hexadecimal"},
		{"1:" + good[2:], "line 1: the secret of key 1 has 15 bytes and needs at least 16"},
		{"1:", "line 1: the secret of key 1 has 0 bytes"},
		{"1:" + good + "\n1:" + good, "line 2: key 1 occurs twice"},
		{"1:" + good + "\n2:" + strings.Repeat("5e", 64<<10), "line 2: "},
	} {
		_, err := ReadKeys(writeKeys(t, 0o600, tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.20q: the error is %v, want %q in it", tt.text, err, tt.want)
		} else if strings.Contains(err.Error(), "5e5e") {
			t.Errorf("%.20q: the error shows the secret: %v", tt.text, err)
		}
	}
}

func TestReadKeysRejectsUnsafeFiles(t *testing.T) {
	text := "1:" + strings.Repeat("5e", 16)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o601} {
		path := writeKeys(t, mode, text)
		if _, err := ReadKeys(path); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %04o: the error is %v, want the chmod command", mode, err)
		}
	}
	if _, err := ReadKeys(t.TempDir()); err == nil {
		t.Error("ReadKeys accepted a directory")
	}
	if _, err := ReadKeys(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v, want os.ErrNotExist", err)
	}
}

func mustKey(t testing.TB, number uint32, secret []byte) *Key {
	t.Helper()
	key, err := NewKey(number, secret)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// malformedField returns a frame whose field overruns it.
func malformedField(t testing.TB) []byte {
	t.Helper()
	frame := mustRequest(t, Request{Kind: KindCheck, Service: []byte("epg")}, nil)
	frame[HeaderLength+1]++
	return frame
}

// writeKeys writes a key file with the mode and returns its path.
func writeKeys(t testing.TB, mode os.FileMode, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // WriteFile applies the umask
		t.Fatal(err)
	}
	return path
}
