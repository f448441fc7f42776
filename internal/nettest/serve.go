// Package nettest runs small servers for tests.
package nettest

import (
	"net"
	"testing"
)

// ServeUDP answers each datagram with reply, or not if that returns nil, until the
// test ends. It returns the address.
func ServeUDP(t testing.TB, address string, reply func(datagram []byte) []byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if b := reply(buf[:n]); b != nil {
				conn.WriteTo(b, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// ServeTCP calls serve with each connection, in a goroutine, until the test ends. It
// returns the address. A connection is closed when serve returns.
func ServeTCP(t testing.TB, address string, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}
