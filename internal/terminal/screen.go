// Package terminal writes text for people: in colour and within the width of the
// screen where there is one, in tables, and without anything that a terminal would
// obey.
package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Screen is how text is shown. The zero Screen is a file: no colours, and lines of
// any length.
type Screen struct {
	Colours bool
	Width   int // in characters, 0 for no limit
}

// ScreenOf returns the screen that the file is shown on. NO_COLOR
// (https://no-color.org) and TERM=dumb turn colours off.
func ScreenOf(f *os.File) Screen {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return Screen{}
	}
	return Screen{
		Colours: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		Width:   int(size.Col),
	}
}

// Colour is a text colour, as the number that terminals use (ECMA-48, SGR).
type Colour string

// The colours.
const (
	Plain  Colour = ""
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
)

// Paint returns the text in the colour, if the screen has colours.
func (s Screen) Paint(c Colour, text string) string {
	if !s.Colours || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
