package wrapper

import (
	"slices"
	"testing"
)

// A worker cannot show that the program works, unless it names the program.
func TestWithoutProof(t *testing.T) {
	r := &relay{pid: 4711}
	said := []string{"READY=1", "WATCHDOG=1", "WATCHDOG_USEC=1000000", "X_LANDMARK_REACH=loop", "X_LANDMARK_OPEN=work:0", "STATUS=WATCHDOG=1"}
	named := append(slices.Clone(said), "MAINPID=4711")
	other := append(slices.Clone(said), "MAINPID=4712")
	for name, tt := range map[string]struct {
		sender      int
		lines, want []string
	}{
		"the program":            {4711, said, said},
		"a worker":               {4712, said, []string{"READY=1", "STATUS=WATCHDOG=1"}},
		"a script's helper":      {4712, named, named},
		"a worker about another": {4712, other, []string{"READY=1", "STATUS=WATCHDOG=1", "MAINPID=4712"}},
	} {
		if got := r.withoutProof(tt.lines, tt.sender); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
