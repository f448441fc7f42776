package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// maxContent is how much a track file holds at most: more is none of ours.
const maxContent = 32

// trackFile is one of keepalived's track files. keepalived takes one that is
// missing, empty or garbled for 0, which is healthy. So a file is never truncated
// nor taken away: another takes its place, whole, by rename. Only where there is no
// room for another, out is written over it.
//
// Nothing is synced to disk. That would cost milliseconds at each change and gain
// nothing: the machine's death is keepalived's too, and when they are back, what a
// file said before is no truth either, however well it was kept. See the
// documentation for how to start them.
type trackFile struct {
	path string
	temp string // beside it, and of no other target's name
}

func newTrackFile(dir, name string) trackFile {
	return trackFile{path: filepath.Join(dir, name), temp: filepath.Join(dir, "."+name+".tmp")}
}

// holds reports whether the file says the value already.
func (f trackFile) holds(value int) bool {
	info, err := os.Lstat(f.path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxContent {
		return false
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(content), "\n"))
	return err == nil && n == value
}

// write makes the file say the value, or leaves it as it is and returns why.
func (f trackFile) write(value int) error {
	err := f.replace(value)
	if err != nil && value == out && f.overwrite() == nil {
		return nil
	}
	return err
}

// replace puts a file that says the value in the place of what is there.
func (f trackFile) replace(value int) error {
	f.tidy()
	temp, err := os.OpenFile(f.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = temp.WriteString(strconv.Itoa(value) + "\n")
	// Some file systems tell only here that there is no room.
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.temp, f.path)
	}
	if err != nil {
		f.tidy()
	}
	return err
}

// overwrite makes the file that is there say out, which takes no room: a server that
// is down does not stay in because a disk is full. No value is longer, so whoever
// reads meanwhile finds the old one, or a part of out, which is less than 0.
func (f trackFile) overwrite() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	n, err := file.WriteString(strconv.Itoa(out) + "\n")
	if err == nil {
		err = file.Truncate(int64(n)) // of what somebody else wrote
	}
	return errors.Join(err, file.Close())
}

// tidy takes away what a write left that did not come to its end.
func (f trackFile) tidy() { os.Remove(f.temp) }
