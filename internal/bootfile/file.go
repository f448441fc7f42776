// Package bootfile keeps small files that the next landmarkd of the same boot of the
// machine reads. A file is replaced as a whole or appended to, and believed only if no
// other user can have written it.
package bootfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrMissing is returned if there is no file.
var ErrMissing = errors.New("there is no file")

// bootID identifies this boot of the machine (random(4)).
const bootID = "/proc/sys/kernel/random/boot_id"

// ThisBoot identifies this boot of the machine.
func ThisBoot() (string, error) {
	b, err := os.ReadFile(bootID)
	if err != nil {
		return "", fmt.Errorf("reading the boot ID: %w", err)
	}
	boot := strings.TrimSpace(string(b))
	if boot == "" {
		return "", fmt.Errorf("%s is empty", bootID)
	}
	return boot, nil
}

// Read returns the contents of the file. It returns an error if the file has more than
// maxSize bytes, or if another user can have written it.
func Read(path string, maxSize int64) ([]byte, error) {
	// Do not block on a FIFO, and do not follow a link.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrMissing
	case err != nil:
		return nil, err
	}
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	switch {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, errors.New("it is not a regular file")
	case stat.Uid != uint32(os.Geteuid()):
		return nil, fmt.Errorf("it belongs to uid %d, not to landmarkd's uid %d", stat.Uid, os.Geteuid())
	case stat.Mode&0o022 != 0:
		return nil, fmt.Errorf("users other than its owner can write it: its mode is %#o", stat.Mode&0o777)
	case stat.Size > maxSize:
		return nil, fmt.Errorf("it has %d bytes: at most %d are allowed", stat.Size, maxSize)
	}
	return io.ReadAll(io.LimitReader(f, maxSize))
}

// Replace replaces the file by a new one, so that a reader finds either the whole old
// or the whole new one. It does not sync, since the file is of no use after a reboot.
func Replace(path string, contents []byte, maxSize int64) error {
	if int64(len(contents)) > maxSize {
		return fmt.Errorf("it would have %d bytes: at most %d are allowed", len(contents), maxSize)
	}
	newPath := path + ".new"
	if err := os.Remove(newPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(newPath, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(contents)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(newPath))
	}
	if err := os.Rename(newPath, path); err != nil {
		return errors.Join(err, os.Remove(newPath))
	}
	return nil
}

// Discard removes the file, or empties it where the directory cannot be written. It is no
// error if there is none.
func Discard(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	f, opening := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if opening != nil {
		return errors.Join(err, opening)
	}
	return f.Close()
}

// OpenAppend opens the file, which Replace has made, for append.
func OpenAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}
