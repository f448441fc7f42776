package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// askProgramme connects to an EPG server and asks what is on channel 1 now, within the context's deadline. It speaks the
// protocol of examples/epgd from the outside, as any client in the field would:
//
//	request   magic 45 50 47 31, channel (2), seconds since 1970 (8)
//	answer    magic, 0 = found (1), start (8), duration (4), length of the title (1), title
func askProgramme(ctx context.Context, address string) error {
	const (
		magic   = 0x45504731
		channel = 1
		found   = 0
	)
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp4", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	request := binary.BigEndian.AppendUint32(nil, magic)
	request = binary.BigEndian.AppendUint16(request, channel)
	request = binary.BigEndian.AppendUint64(request, uint64(time.Now().Unix()))
	if _, err := conn.Write(request); err != nil {
		return fmt.Errorf("asking for a programme: %w", err)
	}
	var head [18]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if binary.BigEndian.Uint32(head[:]) != magic || head[4] != found {
		return fmt.Errorf("no programme but % x", head)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(head[17])); err != nil {
		return fmt.Errorf("reading the title: %w", err)
	}
	return nil
}
