package hostclock

import (
	"os"
	"strings"

	"github.com/landmark-health/landmark/internal/nonblock"
)

// Own returns the clock of this process, or the zero Clock if its name is unknown,
// as it is without /proc.
func Own() Clock {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Clock{}
	}
	namespace, err := os.Readlink("/proc/self/ns/time")
	if os.IsNotExist(err) {
		namespace = "time:[]" // before Linux 5.6 there is only one time namespace
	} else if err != nil {
		return Clock{}
	}
	return Clock{name: strings.TrimSpace(string(boot)) + "/" + namespace}
}

// Now returns the clock's time in microseconds, 0 for the zero Clock.
func (c Clock) Now() uint64 {
	if c.name == "" {
		return 0
	}
	now := nonblock.Monotonic()
	return uint64(now.Nano()) / 1000
}
