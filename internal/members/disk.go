package members

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/bootfile"
	"github.com/landmark-health/landmark/internal/registry"
)

// maxSize is the largest size of the file, in bytes.
const maxSize = 64 << 20

// read returns the contents of the file, and whether it is complete. It returns an
// error if the file is from another boot, or if another user can have written it.
func read(path string) (all []registry.Membership, complete bool, err error) {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return nil, false, err
	}
	b, err := bootfile.Read(path, maxSize)
	if err != nil {
		return nil, false, err
	}
	return decode(b, boot, now())
}

// write replaces the file. If it fails, it marks the old file as incomplete, since
// that misses the processes that have joined since.
func write(path string, all []registry.Membership, complete bool) error {
	err := replace(path, all, complete)
	if err != nil {
		if markErr := markIncomplete(path); markErr != nil {
			err = errors.Join(err, fmt.Errorf("the old file cannot be marked as incomplete: %w", markErr))
		}
	}
	return err
}

// markIncomplete marks the file, if there is one, as incomplete. It overwrites bytes in
// place, which works on a full disk.
func markIncomplete(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, len(completeHead))
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != completeHead {
		return nil // it is incomplete already, or not a members file
	}
	_, err = f.WriteAt([]byte(incompleteHead), 0)
	return err
}

// replace replaces the file by a new one.
func replace(path string, all []registry.Membership, complete bool) error {
	boot, err := bootfile.ThisBoot()
	if err != nil {
		return err
	}
	b, err := encode(all, complete, boot, now())
	if err != nil {
		return err
	}
	return bootfile.Replace(path, b, maxSize)
}
