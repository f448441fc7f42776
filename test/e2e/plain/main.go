// Command plain is a server without Landmark, for the tests of what landmarkd
// observes of a program that does not report. It accepts connections one after the
// other, on one goroutine, and sends each a greeting.
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
