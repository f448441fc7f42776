// Command plain is a server that knows nothing of Landmark, for the tests of
// what landmarkd sees by itself: it accepts connections, one after the other, on
// its only thread of work, and says good day to each.
//
//	plain HOST:PORT
package main

import (
	"fmt"
	"log"
	"net"
	"os"
)

func main() {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, "plain is ready")
	for {
		c, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintln(c, "good day")
		c.Close()
	}
}
