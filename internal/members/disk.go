package members

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/registry"
)

// maxSize is the largest size of the file, in bytes.
const maxSize = 64 << 20

// errMissing is returned if there is no file.
var errMissing = errors.New("there is no members file")

// bootID identifies this boot of the machine (random(4)).
const bootID = "/proc/sys/kernel/random/boot_id"

// read returns the contents of the file, and whether it is complete. It returns an
// error if the file is from another boot, or if another user can have written it.
func read(path string) (all []registry.Membership, complete bool, err error) {
	boot, err := thisBoot()
	if err != nil {
		return nil, false, err
	}
	// Do not block on a FIFO, and do not follow a link.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false, errMissing
	case err != nil:
		return nil, false, err
	}
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return nil, false, os.NewSyscallError("fstat", err)
	}
	switch {
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, false, errors.New("it is not a regular file")
	case stat.Uid != uint32(os.Geteuid()):
		return nil, false, fmt.Errorf("it belongs to uid %d, not to landmarkd's uid %d", stat.Uid, os.Geteuid())
	case stat.Mode&0o022 != 0:
		return nil, false, fmt.Errorf("users other than its owner can write it: its mode is %#o", stat.Mode&0o777)
	case stat.Size > maxSize:
		return nil, false, fmt.Errorf("it has %d bytes: at most %d are allowed", stat.Size, maxSize)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize))
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

// replace replaces the file by a new one, so that a reader finds either the whole old
// or the whole new one. It does not sync, since the file is of no use after a
// reboot.
func replace(path string, all []registry.Membership, complete bool) error {
	boot, err := thisBoot()
	if err != nil {
		return err
	}
	b, err := encode(all, complete, boot, now())
	if err != nil {
		return err
	}
	if len(b) > maxSize {
		return fmt.Errorf("it would have %d bytes: at most %d are allowed", len(b), maxSize)
	}
	newPath := path + ".new"
	if err := os.Remove(newPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(newPath, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(newPath))
	}
	if err := os.Rename(newPath, path); err != nil {
		return errors.Join(err, os.Remove(newPath))
	}
	return nil
}

func thisBoot() (string, error) {
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
