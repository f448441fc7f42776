package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// disk is the files of a journal that is written.
type disk struct {
	dir  string
	keep int

	file *os.File // nil if none is open
	name string   // of the latest file, "" if none was begun
	size int64
}

// usable reports whether the present file has room for n more bytes, and is still in the
// directory.
func (d *disk) usable(n, limit int64) bool {
	if d.file == nil {
		return false
	}
	opened, err := d.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(filepath.Join(d.dir, d.name))
	return err == nil && os.SameFile(opened, named) && d.size+n <= limit
}

// append appends whole lines to the file, and returns how many bytes of them are in it. If
// it fails, the file ends with a whole line, or is closed.
func (d *disk) append(b []byte) (int, error) {
	n, err := d.file.Write(b)
	if err == nil {
		d.size += int64(n)
		return n, nil
	}
	whole := bytes.LastIndexByte(b[:n], '\n') + 1
	d.size += int64(whole)
	if whole < n && d.file.Truncate(d.size) != nil {
		d.close() // a reader finds one damaged line
	}
	return whole, err
}

func (d *disk) close() {
	if d.file != nil {
		d.file.Close()
		d.file = nil
	}
}

// begin begins a file with the header, after it has removed the oldest ones, so that no
// more than keep are left. The directory is made if it is missing.
func (d *disk) begin(header []byte) error {
	d.close()
	if err := makeDir(d.dir); err != nil {
		return err
	}
	names, err := files(d.dir)
	if err != nil {
		return err
	}
	d.removeOldest(names)
	last := d.name
	if len(names) > 0 {
		last = max(last, names[len(names)-1])
	}
	name := nextName(time.Now(), last)
	path := filepath.Join(d.dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(header); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	d.file, d.name, d.size = f, name, int64(len(header))
	return nil
}

// removeOldest removes the oldest files, so that one less than keep are left of those that
// are landmarkd's own. What cannot be removed is left.
func (d *disk) removeOldest(names []string) {
	var own []string
	for _, name := range names {
		if isOwn(filepath.Join(d.dir, name)) {
			own = append(own, name)
		}
	}
	for _, name := range own[:max(0, len(own)-d.keep+1)] {
		os.Remove(filepath.Join(d.dir, name))
	}
}

// header is how the first line of a file begins.
var header = []byte(`{"type":"journal"`)

// isOwn reports whether the file is a journal of this user. An empty file is one whose
// landmarkd was killed at the beginning.
func isOwn(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || ownerOf(info) != os.Geteuid() {
		return false
	}
	if info.Size() == 0 {
		return true
	}
	first := make([]byte, len(header))
	_, err = f.ReadAt(first, 0)
	return err == nil && bytes.Equal(first, header)
}

// ownerOf returns the uid of a file's owner.
func ownerOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// makeDir makes the directory if it is missing, and returns an error if it must not be
// written.
func makeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return checkDir(dir)
}

// checkDir returns an error if the directory is none, or if users other than its owner can
// write it, or if its owner is neither this user nor root.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("users other than its owner can write %s: its mode is %#o, and must be 0700 or 0750", dir, info.Mode().Perm())
	}
	if owner := ownerOf(info); owner != 0 && owner != os.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d, and must belong to landmarkd's uid %d or to root", dir, owner, os.Geteuid())
	}
	return nil
}

// CheckDir returns an error if a journal could not be written into the directory. It
// changes nothing: a directory that is missing is good if it could be made.
func CheckDir(dir string) error {
	if dir == "" {
		return errors.New("the directory is empty: give the path of a directory")
	}
	err := checkDir(dir)
	writable := dir
	if errors.Is(err, fs.ErrNotExist) {
		writable = filepath.Dir(filepath.Clean(dir))
		info, parentErr := os.Stat(writable)
		if parentErr != nil {
			return fmt.Errorf("%w; make it, or give a path whose parent is there", err)
		}
		if !info.IsDir() {
			return fmt.Errorf("%s is not a directory", writable)
		}
	} else if err != nil {
		return err
	}
	const writeAndSearch = 2 | 1 // access(2)
	if err := syscall.Access(writable, writeAndSearch); err != nil {
		return fmt.Errorf("%s cannot be written: %w", writable, err)
	}
	return nil
}
