package lmp

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestFrameLength(t *testing.T) {
	for _, tt := range []struct {
		start string
		want  int
		ok    bool
	}{
		{"", 0, true},
		{"L", 0, true},
		{"G", 0, false},
		{"LM", 0, true},
		{"LX", 0, false},
		{"LM\x01", 0, true},
		{"LM\x02", 0, false},
		{"LM\x01\x01\x00\x00\x00", 0, true},
		{"LM\x01\x01\x00\x00\x00\x1F", 0, false},
		{"LM\x01\x01\x00\x00\x00\x20", 32, true},
		{"LM\x01\x83\x01\x00\xFF\xFF and more", 65535, true},
	} {
		got, err := FrameLength([]byte(tt.start))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("FrameLength(%q) = %d, %v; want %d, ok %v", tt.start, got, err, tt.want, tt.ok)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("FrameLength(%q): %v does not match ErrMalformed", tt.start, err)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want uint32
	}{
		{-time.Second, 0},
		{0, 0},
		{time.Millisecond - 1, 0},
		{1500 * time.Microsecond, 1},
		{math.MaxUint32 * time.Millisecond, math.MaxUint32},
		{(math.MaxUint32 + 1) * time.Millisecond, math.MaxUint32},
		{math.MaxInt64, math.MaxUint32},
		{math.MinInt64, 0},
	} {
		if got := milliseconds(tt.d); got != tt.want {
			t.Errorf("milliseconds(%d) = %d, want %d", tt.d, got, tt.want)
		}
	}
}
