package host

import (
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each error of the kernel says what the operator must do.
func TestKernelErrorsNameTheRemedy(t *testing.T) {
	file := func(err error) error { return &fs.PathError{Op: "open", Path: "/proc/sys/net", Err: err} }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{unix.EMFILE, "LimitNOFILE="},
		{file(unix.EMFILE), "LimitNOFILE="},
		{file(unix.ENFILE), "LimitNOFILE="},
		{file(unix.ENOENT), "mount /proc"},
		{unix.EPERM, "RestrictAddressFamilies="},
		{unix.EAFNOSUPPORT, "RestrictAddressFamilies="},
		{unix.ENOENT, "modprobe tcp_diag"},
		{unix.EINVAL, "check which interfaces of the kernel"},
	} {
		if got := remedy("it", tt.err).Error(); !strings.Contains(got, tt.want) || !strings.Contains(got, "reading it: "+tt.err.Error()) {
			t.Errorf("the error for %v is %q, want it to contain %q", tt.err, got, tt.want)
		}
	}
}
