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
	"syscall"
)

// ReadKeys reads a key file. Each line is NUMBER:HEX: the key's number, from 0 to
// 4,294,967,295, and its secret of at least 16 bytes. ReadKeys skips blank lines and
// lines that begin with #. The file must have at least one key, and no number twice.
// It must be a regular file that belongs to this process's user or to root, and
// must give no rights to anyone else. ReadKeys returns the keys in the order of the
// file; a client uses the first. Errors name the line and say what to do, and never
// contain a secret.
func ReadKeys(path string) (Keys, error) {
	f, err := openKeys(path, os.Geteuid())
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

// openKeys opens the file and checks that only the user euid or root can have written
// it. It checks the open file, not the path, so that the file cannot be replaced
// between the check and the read.
func openKeys(path string, euid int) (*os.File, error) {
	// Without O_NONBLOCK, opening a pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkKeyFile(path, info, euid)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// checkKeyFile returns an error that says what to do if another user can read or write
// the file.
func checkKeyFile(path string, info os.FileInfo, euid int) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s gives rights to users other than its owner (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	if file, ok := info.Sys().(*syscall.Stat_t); ok && file.Uid != 0 && int(file.Uid) != euid {
		return fmt.Errorf("%s belongs to user %d, who can change the keys; run: chown %d %s", path, file.Uid, euid, path)
	}
	return nil
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
