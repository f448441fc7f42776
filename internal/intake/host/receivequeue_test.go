package host

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each word is a reading, a second after the one before: the bytes that wait, then
// letters: r if the memory of what was read has changed, d if datagrams were dropped.
// The expected result is since when the queue may be stuck, or -1.
func TestReceiveQueue(t *testing.T) {
	const limit = 100
	for _, tt := range []struct {
		name     string
		readings string
		since    int
	}{
		{"empty", "0 0 0 0", -1},
		{"frozen while datagrams arrive", "0 1 2 3 4", 1},
		{"frozen, not enough arrivals yet", "0 1 2 3", -1},
		{"frozen, then silence", "0 1 2 3 4 4 4 4 4", 1},
		{"frozen with a full queue", "0 60d 90d 101d 101d 101d", 1},
		{"filled at once", "0 101d 101", 1},
		{"full at the first reading", "101 101", 0},
		{"busy with a full queue", "101d 101dr 101dr 101d 101dr", 4},
		{"busy with a queue that is full, and then shorter", "101d 101d 99 101d", 2},
		{"one waits all the time", "1 1 1 1 1 1 1", -1},
		{"a few wait all the time", "3 3r 3 3r 3", -1},
		{"shorter each time", "9 8 7 6 5 4", -1},
		{"up and down", "1 5 2 7 3 9 4", -1},
		{"empty in between", "1 2 3 4 0 1 2", -1},
		{"stuck again", "1 2 3 4 3 4 5 6", 4},
		{"read after a hang", "1 2 3 4 4r", -1},
		{"dropped though the queue is not full", "1d 1d 1d 1d", 0},
	} {
		q, l := receiveQueue{within: time.Hour}, listener{cookie: 1, memory: memory{limit: limit}}
		for i, word := range strings.Fields(tt.readings) {
			number := strings.TrimRight(word, "rd")
			fmt.Sscan(number, &l.bytes)
			if strings.Contains(word, "r") {
				l.unfree++
			}
			if strings.Contains(word, "d") {
				l.drops++
			}
			q.count([]listener{l}, time.Duration(i)*time.Second)
		}
		got := -1
		if since, waiting, ok := q.stuck(); ok {
			got = int(since / time.Second)
			if waiting != l.bytes {
				t.Errorf("%s: %d bytes wait, want %d", tt.name, waiting, l.bytes)
			}
		}
		if got != tt.since {
			t.Errorf("%s: stuck since %d, want %d", tt.name, got, tt.since)
		}
	}
}

// The socket that is stuck longest counts, and only those that still exist. A queue
// that may be stuck soon is read more often.
func TestReceiveQueueOfSeveralSockets(t *testing.T) {
	full := func(cookie uint64) listener { return listener{cookie: cookie, memory: memory{bytes: 9, limit: 10}} }
	q := receiveQueue{within: 8 * time.Second}
	q.count([]listener{full(1)}, 0)
	q.count([]listener{full(1), full(2)}, 3*time.Second)
	if since, _, ok := q.stuck(); !ok || since != 0 {
		t.Errorf("stuck since %v, %v; want 0", since, ok)
	}
	if d := q.recheckIn(4 * time.Second); d != 0 {
		t.Errorf("after half of within it is read in %v, want as usual", d)
	}
	if d := q.recheckIn(4*time.Second + 1); d != q.within/samples {
		t.Errorf("after more than half of within it is read in %v, want %v", d, q.within/samples)
	}
	q.count([]listener{full(2)}, 8*time.Second)
	if since, _, ok := q.stuck(); !ok || since != 3*time.Second {
		t.Errorf("without the first socket stuck since %v, %v; want 3 s", since, ok)
	}
	if d := q.recheckIn(12 * time.Second); d != 0 {
		t.Errorf("once it is stuck it is read in %v, want as usual", d)
	}
	q.count(nil, 9*time.Second)
	if _, _, ok := q.stuck(); ok {
		t.Error("without a socket it is stuck")
	}
}
