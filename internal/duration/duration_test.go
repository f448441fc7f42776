package duration

import (
	"testing"
	"time"
)

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                          "0 ms",
		0:                                     "0 ms",
		300 * time.Microsecond:                "<1 ms",
		999*time.Microsecond + 999:            "<1 ms",
		999*time.Millisecond + 999999:         "999 ms",
		time.Second:                           "1 s",
		3240 * time.Millisecond:               "3.2 s",
		3250 * time.Millisecond:               "3.3 s",
		59 * time.Second:                      "59 s",
		59*time.Second + 949*time.Millisecond: "59.9 s",
		59*time.Second + 999*time.Millisecond: "1 min 0 s",
		time.Minute:                           "1 min 0 s",
		59*time.Minute + 59*time.Second:       "59 min 59 s",
		time.Hour - 1:                         "59 min 59 s",
		time.Hour:                             "1 h 0 min",
		3*time.Hour + 4*time.Minute:           "3 h 4 min",
		24*time.Hour - 1:                      "23 h 59 min",
		50 * time.Hour:                        "2 d 2 h",
	} {
		if got := Format(d); got != want {
			t.Errorf("Format(%v) = %q, want %q", d, got, want)
		}
	}
}
