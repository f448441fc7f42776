package terminal

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// newTerminal opens the controlling side of a new pseudoterminal.
func newTerminal(t *testing.T) *os.File {
	t.Helper()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("cannot open a terminal: %v", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return terminal
}

func TestScreenOfFileHasNoColours(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "xterm")
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, want := ScreenOf(file), (Screen{}); got != want {
		t.Errorf("ScreenOf(file) = %+v, want %+v", got, want)
	}
}

func TestScreenOfTerminalHasColours(t *testing.T) {
	terminal := newTerminal(t)
	for _, tt := range []struct {
		term, noColor string
		want          bool
	}{
		{"xterm", "", true},
		{"xterm", "1", false},
		{"dumb", "", false},
	} {
		t.Setenv("TERM", tt.term)
		t.Setenv("NO_COLOR", tt.noColor)
		if got := ScreenOf(terminal).Colours; got != tt.want {
			t.Errorf("TERM=%s NO_COLOR=%s: colours %t, want %t", tt.term, tt.noColor, got, tt.want)
		}
	}
}

func TestScreenOfTerminalHasItsWidth(t *testing.T) {
	terminal := newTerminal(t)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60}); err != nil {
		t.Fatal(err)
	}
	if got := ScreenOf(terminal).Width; got != 60 {
		t.Errorf("width %d, want 60", got)
	}
}
