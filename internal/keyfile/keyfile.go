// Package keyfile opens files of secrets, if only their owner can read them.
package keyfile

import (
	"fmt"
	"os"
	"syscall"
)

// Open opens the file and checks that only the user euid or root can have written
// it. It checks the open file, not the path, so that the file cannot be replaced
// between the check and the read.
func Open(path string, euid int) (*os.File, error) {
	// Without O_NONBLOCK, opening a pipe would wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = check(path, info, euid)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// check returns an error that says what to do if another user can read or write
// the file.
func check(path string, info os.FileInfo, euid int) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s gives rights to users other than its owner (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	if file, ok := info.Sys().(*syscall.Stat_t); ok && file.Uid != 0 && int(file.Uid) != euid {
		return fmt.Errorf("%s belongs to user %d, who can change it; run: chown %d %s", path, file.Uid, euid, path)
	}
	return nil
}
