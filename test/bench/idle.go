package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/landmark-health/landmark/internal/sleep"
	"github.com/landmark-health/landmark/test/bench/report"
)

// idleRow is what a host pays for Landmark when nothing happens.
var idleRow = row{
	name: "idle",
	lines: []report.Line{
		{What: "landmarkd, one idle agent with one Loop of 1 s, no checker: processor time", Unit: "%", Goal: report.Goal{AtMost: 0.2}},
		{What: "the same: context switches a second", Goal: report.Goal{AtMost: 30}},
		{What: "the program's own side of that: processor time", Unit: "%", Goal: report.Goal{AtMost: 0.15}},
		{What: "the same: context switches a second", Goal: report.Goal{AtMost: 25}},
		{What: "landmarkd, resident memory, after the page was shown and the metrics were scraped", Unit: "MB", Goal: report.Goal{AtMost: 12}},
	},
	measure: measureIdle,
}

// idleTime is how long the idle pair is watched.
const idleTime = 20 * time.Second

func measureIdle(ctx context.Context, s *suite) (m measured, err error) {
	d, err := s.startServing(ctx, "")
	if err != nil {
		return m, err
	}
	defer d.stop()
	if !sleep.For(ctx, s.scaled(settleTime)) {
		return m, ctx.Err()
	}
	rates, err := over(ctx, s.scaled(idleTime), d.process, d.program.process)
	if err != nil {
		return m, err
	}
	before, err := d.rss()
	if err != nil {
		return m, err
	}
	if err := showPage(ctx, d.httpAddress); err != nil {
		return m, err
	}
	if _, err := scrape(ctx, d.httpAddress); err != nil {
		return m, err
	}
	if !sleep.For(ctx, s.scaled(settleTime)) {
		return m, ctx.Err()
	}
	after, err := d.rss()
	if err != nil {
		return m, err
	}
	for _, r := range rates {
		m.figures = append(m.figures, amount(r.percent, fmt.Sprintf("over %v", s.scaled(idleTime))), amount(r.switches, ""))
	}
	m.figures = append(m.figures, amount(after, fmt.Sprintf("%s MB before that", report.Digits(before))))
	return m, nil
}

// showPage gets what a browser gets that opens the page: the page, and its first events.
func showPage(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("User-Agent", "Mozilla/5.0")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the page: %s", answer.Status)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if r, err = http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/events", nil); err != nil {
		return err
	}
	events, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer events.Body.Close()
	_, err = events.Body.Read(make([]byte, 4096))
	return err
}
