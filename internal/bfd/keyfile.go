package bfd

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/internal/keyfile"
)

// maxKeyFile is the largest size of a key file, in bytes.
const maxKeyFile = 4096

// ReadKey reads a key file: one line NUMBER:HEX, the key's number from 0 to 255 and
// its secret of 1 to 20 bytes. Blank lines and lines that begin with # are skipped.
// The file must be a regular one that belongs to this process's user or to root, and
// must give no rights to anyone else. Errors say what to do, and never contain a
// secret.
func ReadKey(path string) (Key, error) {
	f, err := keyfile.Open(path, os.Geteuid())
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return Key{}, err
	}
	if len(text) > maxKeyFile {
		return Key{}, fmt.Errorf("%s is over %d bytes long: is it the right file?", path, maxKeyFile)
	}
	key, err := parseKey(string(text))
	if err != nil {
		return Key{}, fmt.Errorf("%s %w", path, err)
	}
	return key, nil
}

// parseKey parses the text of a key file.
func parseKey(text string) (Key, error) {
	var found string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case found != "":
			return Key{}, errors.New("has more than one key: leave one line NUMBER:HEX")
		default:
			found = line
		}
	}
	number, digits, hasColon := strings.Cut(found, ":")
	if !hasColon {
		return Key{}, errors.New("has no line NUMBER:HEX: write one, with HEX from openssl rand -hex 20")
	}
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 8)
	if err != nil {
		return Key{}, errors.New("has a number before the colon that is not from 0 to 255")
	}
	secret, err := hex.DecodeString(strings.TrimSpace(digits))
	if err != nil {
		return Key{}, errors.New("has a secret after the colon that is not hexadecimal")
	}
	key := Key{Number: uint8(n)}
	if len(secret) > MaxSecret || copy(key.Secret[:], secret) == 0 || key.IsZero() {
		return Key{}, fmt.Errorf("has a secret of %d bytes: use 1 to %d, not all of them zero", len(secret), MaxSecret)
	}
	return key, nil
}
