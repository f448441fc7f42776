package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock takes the directory for this process alone, for as long as it lives: two
// that wrote the same file would each undo what the other did. The lock is on the
// directory itself and leaves nothing in it.
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
