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

// maxSize is how long the file may be, in bytes.
const maxSize = 64 << 20

// errMissing is returned where there is no file.
var errMissing = errors.New("there is none")

// bootID identifies this boot of the machine (random(4)).
const bootID = "/proc/sys/kernel/random/boot_id"

// read returns what the file holds, and whether that is complete, if it is this boot's and nobody but the
// user of this process can have written it.
func read(path string) (all []registry.Membership, complete bool, err error) {
	boot, err := thisBoot()
	if err != nil {
		return nil, false, err
	}
	// A FIFO must not block, nor a link lead elsewhere.
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
		return nil, false, fmt.Errorf("it is %d bytes long: %d at most", stat.Size, maxSize)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return nil, false, err
	}
	return decode(b, boot, now())
}

// write replaces the file. If it cannot, the old file is said to be incomplete
// from now on: who has joined since must not be overlooked.
func write(path string, all []registry.Membership, complete bool) error {
	err := replace(path, all, complete)
	if err != nil {
		if doubted := doubt(path); doubted != nil {
			err = errors.Join(err, fmt.Errorf("nor can the old one be marked as incomplete: %w", doubted))
		}
	}
	return err
}

// doubt marks the file, if there is one, as incomplete. It writes in place what
// is as long as what was there, which a full disk allows.
func doubt(path string) error {
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
		return nil // it is incomplete already, or none of ours, which nobody takes for complete
	}
	_, err = f.WriteAt([]byte(incompleteHead), 0)
	return err
}

// replace replaces the file by a new one, so that a reader finds the old or the
// new one whole. The directory is in memory, or should be: nothing needs to
// survive the machine.
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
		return fmt.Errorf("it would be %d bytes long: %d at most", len(b), maxSize)
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return nil
}

func thisBoot() (string, error) {
	b, err := os.ReadFile(bootID)
	if err != nil {
		return "", fmt.Errorf("reading which boot this is: %w", err)
	}
	boot := strings.TrimSpace(string(b))
	if boot == "" {
		return "", fmt.Errorf("%s is empty", bootID)
	}
	return boot, nil
}
