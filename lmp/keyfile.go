package lmp

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/landmark-health/landmark/internal/keyfile"
)

// ReadKeys reads a key file. Each line is NUMBER:HEX: the key's number, from 0 to
// 4,294,967,295, and its secret of at least 16 bytes. ReadKeys skips blank lines and
// lines that begin with #. The file must have at least one key, and no number twice.
// It must be a regular file that belongs to this process's user or to root, and
// must give no rights to anyone else. ReadKeys returns the keys in the order of the
// file; a client uses the first. Errors name the line and say what to do, and never
// contain a secret.
func ReadKeys(path string) (Keys, error) {
	f, err := keyfile.Open(path, os.Geteuid())
	if err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	defer f.Close()
	keys, err := parseKeys(f)
	if err != nil {
		return nil, fmt.Errorf("reading keys: %s: %w", path, err)
	}
	return keys, nil
}

// parseKeys parses the lines of a key file.
func parseKeys(r io.Reader) (Keys, error) {
	var keys Keys
	lines := bufio.NewScanner(r)
	number := 1
	for ; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		for _, k := range keys {
			if k.Number == key.Number {
				return nil, fmt.Errorf("line %d: key %d occurs twice; give one of them another number", number, key.Number)
			}
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number, err)
	}
	if len(keys) == 0 {
		return nil, errors.New("the file has no key; write a line NUMBER:HEX, with HEX from openssl rand -hex 32")
	}
	return keys, nil
}

// parseKey parses NUMBER:HEX.
func parseKey(line string) (*Key, error) {
	number, secret, found := strings.Cut(line, ":")
	if !found {
		return nil, errors.New("a key is NUMBER:HEX, but the line has no colon")
	}
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
	if err != nil {
		return nil, errors.New("the number before the colon is not from 0 to 4294967295")
	}
	bytes, err := hex.DecodeString(strings.TrimSpace(secret))
	if err != nil {
		return nil, errors.New("the secret after the colon is not hexadecimal, two digits a byte; openssl rand -hex 32 makes one")
	}
	key, err := NewKey(uint32(n), bytes)
	if err != nil {
		return nil, fmt.Errorf("%w; openssl rand -hex 32 makes one", err)
	}
	return key, nil
}
