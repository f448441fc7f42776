// Package freeport finds addresses for the servers of tests.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
)

// The ports lie below those that the kernel gives to outgoing connections, which could
// otherwise take one before the server has it.
const first, ports = 10000, 20000

// tried counts the ports that were tried. Each process begins at a random one.
var tried atomic.Int64

func init() { tried.Store(rand.Int64N(ports)) }

// Address returns a loopback address on which no process listens, neither over TCP nor over
// UDP. It returns each only once, until it has tried 20,000. It is safe for concurrent use.
func Address() (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.FormatInt(first+tried.Add(1)%ports, 10))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", address)
		l.Close()
		if err == nil {
			u.Close()
			return address, nil
		}
	}
	return "", errors.New("no port is free for both TCP and UDP")
}
