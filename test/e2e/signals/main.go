// Command signals appends the number of each signal that it catches to a file, one a line, after a first line "ready" and the width of its terminal, 0 if it has none. It
// repeats the width after SIGWINCH. It ends at SIGTERM, with the exit status 7.
//
//	signals FILE
package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	file, err := os.OpenFile(os.Args[1], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	received := make(chan os.Signal, 1000)
	for s := syscall.Signal(1); s <= 64; s++ {
		switch s {
		case syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU: // they stop it
		case syscall.SIGURG: // Go's runtime uses it
		default:
			signal.Notify(received, s)
		}
	}
	fmt.Fprintf(file, "ready %d\n", width())
	for s := range received {
		switch s {
		case syscall.SIGWINCH:
			fmt.Fprintf(file, "%d %d\n", s, width())
		default:
			fmt.Fprintf(file, "%d\n", s)
		}
		if s == syscall.SIGTERM {
			os.Exit(7)
		}
	}
}

// width returns the width of the terminal that is standard input.
func width() uint16 {
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return size.Col
}
