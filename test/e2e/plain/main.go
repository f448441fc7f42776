// Command plain is a server that knows nothing of Landmark, for the tests of
// what landmarkd sees by itself: it accepts connections, one after the other, on
// its only thread of work, and says good day to each.
//
//	plain HOST:PORT
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "plain is ready")
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(c, "good day")
		c.Close()
	}
}
