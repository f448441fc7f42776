package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/bench/load"
	"github.com/landmark-health/landmark/test/bench/report"
)

// overloadRow checks among a flood of requests.
var overloadRow = row{
	name: "overload",
	lines: []report.Line{
		{What: "an honest checker over UDP among ten times as many requests as landmarkd can answer: time to the answer, p99.9", Unit: "ms", Goal: report.Goal{AtMost: 20}},
		{What: "the same, over TCP", Unit: "ms", Goal: report.Goal{AtMost: 20}},
	},
	measure: measureOverload,
}

const (
	overload     = 10
	overloadTime = 10 * time.Second
	// honestRate is how often a second the honest checker checks.
	honestRate = 200
	// resendAfter is when it sends a request again over UDP: the flood fills the buffer
	// of the socket, and the kernel drops what does not fit, whoever sent it.
	resendAfter = 500 * time.Microsecond
)

func measureOverload(ctx context.Context, s *suite) (m measured, err error) {
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	alone, err := saturate(s, d.process, d.monitorAddress, checkRequest)()
	if err != nil {
		return m, err
	}
	flooder, err := load.DialUDP(d.monitorAddress, netip.AddrFrom4([4]byte{127, 0, 0, 2}), checkRequest)
	if err != nil {
		return m, err
	}
	defer flooder.Close()
	duration := s.scaled(overloadTime)
	type flood struct {
		sent int
		err  error
	}
	ended := make(chan flood, 1)
	go func() {
		n, err := flooder.Flood(overload*alone.rate, duration)
		ended <- flood{n, err}
	}()
	udp, err := net.Dial("udp", d.monitorAddress)
	if err != nil {
		return m, err
	}
	defer udp.Close()
	tcp, err := net.Dial("tcp", d.monitorAddress)
	if err != nil {
		return m, err
	}
	defer tcp.Close()
	var overUDP, overTCP []time.Duration
	resent, in := 0, make([]byte, lmp.HeaderLength)
	for began := time.Now(); time.Since(began) < duration*9/10 || len(overTCP) == 0; {
		if !sleep.For(ctx, time.Second/honestRate) {
			return m, ctx.Err()
		}
		sent := time.Now()
		q := request(lmp.Request{Kind: lmp.KindCheck, Nonce: uint64(len(overUDP)) + 1}, nil)
		n, err := exchangeLossy(udp, q, in)
		if err != nil {
			return m, err
		}
		overUDP, resent = append(overUDP, time.Since(sent)), resent+n
		sent = time.Now()
		if err := tcp.SetDeadline(sent.Add(changeTimeout)); err != nil {
			return m, err
		}
		if _, err := tcp.Write(q); err != nil {
			return m, err
		}
		if _, err := io.ReadFull(tcp, in); err != nil {
			return m, err
		}
		overTCP = append(overTCP, time.Since(sent))
	}
	f := <-ended
	if f.err != nil {
		return m, f.err
	}
	times := float64(f.sent) / duration.Seconds() / alone.rate
	detail := func(took []time.Duration) string {
		t := summarize(took)
		return fmt.Sprintf("of %d requests p50 %v, p99 %v; the flood was %s times of %s thousand a second", len(took), t.median, t.p99,
			report.Digits(times), report.Digits(alone.rate/1e3))
	}
	m.figures = []figure{
		amount(float64(quantile(durations(overUDP), 0.999))/1e6, fmt.Sprintf("%s; %s datagrams for an answer, one each %v", detail(overUDP), report.Digits(1+float64(resent)/float64(len(overUDP))), resendAfter)),
		amount(float64(quantile(durations(overTCP), 0.999))/1e6, detail(overTCP)),
	}
	if times < overload*0.9 && !s.short {
		for i := range m.figures {
			m.figures[i] = missing(fmt.Sprintf("this machine makes a flood of only %s times", report.Digits(times)))
		}
	}
	m.curves = []report.Series{curve("CHECK over UDP in a flood", overUDP)}
	return m, nil
}

// exchangeLossy sends a request until it is answered. It returns how often it sent it
// again.
func exchangeLossy(conn net.Conn, q, in []byte) (resent int, err error) {
	for began := time.Now(); time.Since(began) < changeTimeout; resent++ {
		if _, err := conn.Write(q); err != nil {
			return resent, err
		}
		conn.SetReadDeadline(time.Now().Add(resendAfter))
		for {
			_, err := conn.Read(in)
			if err != nil {
				break // send it again
			}
			if a, err := lmp.ParseAnswer(in); err == nil && a.Nonce == nonceOf(q) {
				return resent, nil
			}
		}
	}
	return resent, fmt.Errorf("no answer within %v, though the request was sent %d times", changeTimeout, resent)
}

func nonceOf(q []byte) uint64 {
	r, err := lmp.ParseRequest(q)
	if err != nil {
		panic(err) // it is our own
	}
	return r.Nonce
}
