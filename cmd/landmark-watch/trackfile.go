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
// missing, empty or garbled for 0, which is healthy. So a file is never emptied
// nor taken away: another takes its place, whole, by rename. Where there is no room for another, as on a full
// tmpfs, the value is written over what is there.
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
	if err != nil && f.overwrite(value) == nil {
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

// overwrite makes the file that is there say the value, which takes no room: it has
// its block already. Neither a server that is down stays in because a disk is full,
// nor one that has recovered out.
//
// The value is written at once, and then what is left of a longer one is cut off.
// keepalived reads the file when it is closed. If it reads in between, as at its own
// start, it finds the value as the first line, which is all that it takes.
func (f trackFile) overwrite(value int) error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	n, err := file.WriteString(strconv.Itoa(value) + "\n")
	if err == nil {
		err = file.Truncate(int64(n)) // of a longer value, or of what somebody else wrote
	}
	return errors.Join(err, file.Close())
}

// tidy takes away what a write left that did not come to its end.
func (f trackFile) tidy() { os.Remove(f.temp) }
