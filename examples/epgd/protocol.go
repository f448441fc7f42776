package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// The EPG protocol, over TCP. A connection carries any number of requests, one
// after the other. All numbers are big-endian.
//
//	request   offset size
//	               0    4  magic 45 50 47 31 ("EPG1")
//	               4    2  channel
//	               6    8  time, in seconds since 1970
//
//	answer    offset size
//	               0    4  magic 45 50 47 31
//	               4    1  0 = a programme follows, 1 = no such channel
//	               5    8  start, in seconds since 1970
//	              13    4  duration, in seconds
//	              17    1  length of the title
//	              18    …  title, UTF-8
//
// The server closes a connection whose request does not begin with the magic.

const magic = 0x45504731

const (
	found         = 0
	noSuchChannel = 1
)

// A request asks for the programme of a channel at a time.
type request struct {
	channel uint16
	at      time.Time
}

// A programme is one entry of the guide.
type programme struct {
	start    time.Time
	duration time.Duration
	title    string // at most 255 bytes
}

var (
	errMagic         = errors.New("not an EPG message: it does not begin with 45 50 47 31")
	errNoSuchChannel = errors.New("no such channel")
)

func appendRequest(b []byte, q request) []byte {
	b = binary.BigEndian.AppendUint32(b, magic)
	b = binary.BigEndian.AppendUint16(b, q.channel)
	return binary.BigEndian.AppendUint64(b, uint64(q.at.Unix()))
}

// readRequest reads one request. The error is io.EOF if the client sent no more.
func readRequest(r io.Reader) (request, error) {
	var b [14]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return request{}, err
	}
	if binary.BigEndian.Uint32(b[:]) != magic {
		return request{}, errMagic
	}
	return request{
		channel: binary.BigEndian.Uint16(b[4:]),
		at:      time.Unix(int64(binary.BigEndian.Uint64(b[6:])), 0),
	}, nil
}

// appendAnswer appends the answer with the programme p. A nil p means that there is
// no such channel.
func appendAnswer(b []byte, p *programme) []byte {
	b = binary.BigEndian.AppendUint32(b, magic)
	if p == nil {
		return append(b, noSuchChannel, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	b = append(b, found)
	b = binary.BigEndian.AppendUint64(b, uint64(p.start.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.duration/time.Second))
	b = append(b, byte(len(p.title)))
	return append(b, p.title...)
}

// readAnswer reads one answer. The error is errNoSuchChannel if the answer says so.
func readAnswer(r io.Reader) (programme, error) {
	var b [18]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return programme{}, fmt.Errorf("reading answer: %w", err)
	}
	if binary.BigEndian.Uint32(b[:]) != magic {
		return programme{}, errMagic
	}
	if b[4] != found {
		return programme{}, errNoSuchChannel
	}
	title := make([]byte, b[17])
	if _, err := io.ReadFull(r, title); err != nil {
		return programme{}, fmt.Errorf("reading title: %w", err)
	}
	return programme{
		start:    time.Unix(int64(binary.BigEndian.Uint64(b[5:])), 0),
		duration: time.Duration(binary.BigEndian.Uint32(b[13:])) * time.Second,
		title:    string(title),
	}, nil
}
