package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// allocations returns how many allocations landmarkd has made.
func allocations(ctx context.Context, address string) (float64, error) {
	return metric(ctx, address, "go_memstats_mallocs_total")
}

// metric returns the value of a metric of landmarkd itself, with its labels as they are
// written.
func metric(ctx context.Context, address, name string) (float64, error) {
	text, err := scrape(ctx, address)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("the metrics have no %s", name)
}

// scrape returns the metrics.
func scrape(ctx context.Context, address string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the metrics: %s", answer.Status)
	}
	return string(text), err
}
