package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxContent is the greatest size of a track file that this program has written.
const maxContent = 32

// trackFile is one of keepalived's track files. To keepalived a missing, empty or garbled
// file means 0, which is healthy. So a file is never truncated or removed: a new file
// replaces it by rename. Where there is no room for a new one, as on a full tmpfs, the
// value is written over the old one.
//
// Nothing is synced to disk, which would cost milliseconds at each change. After a crash
// of the machine the old files would be out of date anyway; docs/operations.md says how
// to start keepalived then.
type trackFile struct {
	path string
	temp string // beside it; no target can have this name
}

func newTrackFile(dir, name string) trackFile {
	return trackFile{path: filepath.Join(dir, name), temp: filepath.Join(dir, "."+name+".tmp")}
}

// openFlags opens what may be no file of this program: it follows no link, and does not wait
// for the other end of a pipe. With O_NONBLOCK, os also makes fewer system calls.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// has reports whether the file has the value.
func (f trackFile) has(value int) bool {
	file, err := os.OpenFile(f.path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxContent {
		return false
	}
	var content [maxContent]byte
	size, err := file.Read(content[:])
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(content[:size]), "\n"))
	return err == nil && n == value
}

// write writes the value. If it fails, the file is as it was.
func (f trackFile) write(value int) error {
	err := f.replace(value)
	if err != nil && f.overwrite(value) == nil {
		return nil
	}
	return err
}

// replace replaces the file by a new one.
func (f trackFile) replace(value int) error {
	f.removeTemp()
	temp, err := os.OpenFile(f.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = temp.WriteString(strconv.Itoa(value) + "\n")
	// Some file systems report only here that they are full.
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.temp, f.path)
	}
	if err != nil {
		f.removeTemp()
	}
	return err
}

// overwrite writes the value into the existing file, which needs no room: its block is
// allocated.
//
// It writes the value in one call and then cuts off the rest of a longer one. keepalived
// reads the file when it is closed. If keepalived reads it in between, as at its own
// start, the value is the first line, and it reads no more.
func (f trackFile) overwrite(value int) error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|openFlags, 0)
	if err != nil {
		return err
	}
	n, err := file.WriteString(strconv.Itoa(value) + "\n")
	if err == nil {
		err = file.Truncate(int64(n))
	}
	return errors.Join(err, file.Close())
}

// removeTemp removes the temporary file of an interrupted write.
func (f trackFile) removeTemp() { os.Remove(f.temp) }

// lock locks the directory of the track files until unlock is called or the process ends.
// Two processes that write the same file would undo each other's changes. The lock is on
// the directory itself and leaves no file in it.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: give -dir a directory that exists", err)
	}
	info, err := d.Stat()
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a directory, which -dir needs", dir)
	}
	if err == nil {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			err = fmt.Errorf("another landmark-watch writes to %s: give each a -dir of its own", dir)
		case err != nil:
			err = fmt.Errorf("locking %s: %w", dir, err)
		}
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return func() { d.Close() }, nil
}
