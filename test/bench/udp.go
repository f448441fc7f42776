package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/landmark-health/landmark/lmp"
	"github.com/landmark-health/landmark/test/bench/load"
	"github.com/landmark-health/landmark/test/bench/report"
)

// udpRow saturates a server over UDP.
var udpRow = row{
	name: "udp saturated",
	lines: []report.Line{
		{What: "LMP CHECK over UDP, saturated, against C recvmmsg with IP_PKTINFO: answers a second", Unit: "×", Goal: report.Goal{AtLeast: 0.85}},
		{What: "the same: landmarkd's allocations for an answer", Goal: report.Goal{AtMost: 0.01}},
		{What: "the same, against a plain Go echo: answers a second", Unit: "×"},
	},
	measure: measureUDP,
}

func measureUDP(ctx context.Context, s *suite) (m measured, err error) {
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	echo, err := startSelf(echoMode, "udp")
	if err != nil {
		return m, err
	}
	defer echo.stop()
	c, missingC := s.startC("udp", "127.0.0.1", "0")
	subjects := []func() (answers, error){saturate(s, d.process, d.monitorAddress, checkRequest), saturate(s, echo.process, echo.address, checkRequest)}
	if missingC == nil {
		defer c.stop()
		subjects = append(subjects, saturate(s, c.process, c.address, checkRequest))
	}
	before, err := allocations(ctx, d.httpAddress)
	if err != nil {
		return m, err
	}
	all, err := inTurn(ctx, s.rounds(9), subjects...)
	if err != nil {
		return m, err
	}
	after, err := allocations(ctx, d.httpAddress)
	if err != nil {
		return m, err
	}
	scrapes, err := allocations(ctx, d.httpAddress)
	if err != nil {
		return m, err
	}
	answered := 0.0
	for _, a := range all[0] {
		answered += a.rate * s.scaled(saturation).Seconds()
	}
	own, plain := all[0], all[1]
	m.throughput = []report.Group{{Name: "CHECK over UDP", Values: []float64{medianOf(own, rateOf) / 1e3, 0, medianOf(plain, rateOf) / 1e3}}}
	var against figure
	if missingC != nil {
		against = missing(missingC.Error())
	} else {
		against = throughput(own, all[2])
		m.throughput[0].Values[1] = medianOf(all[2], rateOf) / 1e3
	}
	m.figures = []figure{
		against,
		amount(max(0, (after-before)-(scrapes-after))/answered, fmt.Sprintf("%.0f answers", answered)),
		throughput(own, plain),
	}
	return m, nil
}

// saturation is how long a server is saturated in one turn.
const saturation = 500 * time.Millisecond

// saturate returns a function that saturates a server over UDP.
func saturate(s *suite, p process, address string, request []byte) func() (answers, error) {
	return func() (answers, error) {
		u, err := load.DialUDP(address, netip.Addr{}, request)
		if err != nil {
			return answers{}, err
		}
		defer u.Close()
		return p.under(func() (int, time.Duration, error) { return u.Saturate(s.scaled(saturation)) })
	}
}

// signedRow compares signed requests with unsigned ones.
var signedRow = row{
	name:    "udp signed",
	lines:   []report.Line{{What: "signed LMP CHECK over UDP, saturated, against unsigned: answers a second", Unit: "×", Goal: report.Goal{AtLeast: 0.8}}},
	measure: measureSigned,
}

func measureSigned(ctx context.Context, s *suite) (m measured, err error) {
	plain, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer plain.stop()
	file := filepath.Join(plain.dir, "keys")
	if err := os.WriteFile(file, []byte("1:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"), 0o600); err != nil {
		return m, err
	}
	keys, err := lmp.ReadKeys(file)
	if err != nil {
		return m, err
	}
	d, err := newLandmarkd("")
	if err != nil {
		return m, err
	}
	d.key = keys[0]
	signed, err := s.serveOn(ctx, d, "-monitor-keys", file)
	if err != nil {
		return m, err
	}
	defer signed.stop()
	all, err := inTurn(ctx, s.rounds(9),
		saturate(s, signed.process, signed.monitorAddress, request(lmp.Request{Kind: lmp.KindCheck, Nonce: 1}, d.key)),
		saturate(s, plain.process, plain.monitorAddress, checkRequest))
	if err != nil {
		return m, err
	}
	m.figures = []figure{throughput(all[0], all[1])}
	return m, nil
}
