package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

const echoMode = "echo"

// runEcho is a plain Go server that sends back what it gets, as most would write it: over
// UDP, one datagram at a time, or over TCP, a goroutine for each connection.
func runEcho(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench echo udp|tcp")
	}
	switch args[0] {
	case "udp":
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)))
		if err != nil {
			return err
		}
		if err := printPort(conn.LocalAddr()); err != nil {
			return err
		}
		for b := make([]byte, 1500); ; {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return err
			}
			conn.WriteToUDPAddrPort(b[:min(n, 32)], from)
		}
	case "tcp":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		if err := printPort(l.Addr()); err != nil {
			return err
		}
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			go echoTCP(conn)
		}
	}
	return fmt.Errorf("no echo over %s: use udp or tcp", args[0])
}

// echoTCP answers each frame of LMP with 32 bytes that say SERVING.
func echoTCP(conn net.Conn) {
	defer conn.Close()
	var out []byte
	for b, have := make([]byte, 8192), 0; ; {
		n, err := conn.Read(b[have:])
		if err != nil {
			return
		}
		have, out = have+n, out[:0]
		used := 0
		for ; have-used >= 32 && have-used >= int(b[used+7]); used += int(b[used+7]) {
			b[used+3], b[used+4], b[used+6] = 0x81, 1, 0
			out = append(out, b[used:used+7]...)
			out = append(append(out, 32), b[used+8:used+32]...)
		}
		have = copy(b, b[used:have])
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}
