package main

import (
	"context"
	"errors"
	"net"
)

const relayMode = "relay"

// runRelay is the floor of a change's way: it passes what comes over a Unix socket to each
// connection over TCP, as landmarkd passes a verdict, and does nothing else.
func runRelay(_ context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench relay SOCKET")
	}
	from, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	to, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := printPort(to.Addr()); err != nil {
		return err
	}
	in, err := from.Accept()
	if err != nil {
		return err
	}
	out, err := to.Accept()
	if err != nil {
		return err
	}
	for b := make([]byte, 4096); ; {
		n, err := in.Read(b)
		if err != nil {
			return err
		}
		if _, err := out.Write(b[:n]); err != nil {
			return err
		}
	}
}
