package main

import (
	"net"
	"os"
)

// notifyReady tells systemd, where that has started the program with Type=notify,
// that what is ordered after it may start: see sd_notify(3).
func notifyReady() error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	// net takes a leading @ for the abstract name space, as systemd means it.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte("READY=1"))
	return err
}
