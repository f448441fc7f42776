package rule

import (
	"testing"
	"time"
)

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                            "0 ms",
		999*time.Microsecond + 999:   "0 ms",
		time.Second - 1:              "999 ms",
		time.Second:                  "1 s",
		3240 * time.Millisecond:      "3.2 s",
		3250 * time.Millisecond:      "3.3 s",
		time.Minute - time.Second:    "59 s",
		time.Minute:                  "1 min 0 s",
		time.Hour - 1:                "59 min 59 s",
		time.Hour:                    "1 h 0 min",
		49*time.Hour + 7*time.Minute: "2 d 1 h",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
