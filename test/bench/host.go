package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

const (
	// quietTime is how long the host is watched before and after a row, while the
	// measurement itself does nothing.
	quietTime = 150 * time.Millisecond
	// maxOthers is how much of one core others may use in that time.
	maxOthers = 0.2
	// maxSteal is how much of one core the hypervisor may keep for others, in a row.
	maxSteal = 0.05
)

// hostState knows whether others use the processors.
type hostState struct {
	others float64 // before the row, in cores
	start  cpuTimes
	at     time.Time
	busy   int // rows
	all    int
}

// cpuTimes are the times of all processors together (proc(5), stat).
type cpuTimes struct{ used, stolen time.Duration }

func readCPUTimes() (t cpuTimes) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t // then the host counts as quiet
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var user, nice, system, idle, wait, irq, soft, steal int64
	fmt.Sscanf(line, "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &soft, &steal)
	const tick = time.Second / 100 // USER_HZ
	return cpuTimes{used: time.Duration(user+nice+system+irq+soft) * tick, stolen: time.Duration(steal) * tick}
}

// watch returns how much of a core is in use while this process sleeps.
func (*hostState) watch() float64 {
	before, began := readCPUTimes().used, time.Now()
	time.Sleep(quietTime)
	return (readCPUTimes().used - before).Seconds() / time.Since(began).Seconds()
}

// begin is called before a row.
func (h *hostState) begin() {
	h.others = h.watch()
	h.start, h.at = readCPUTimes(), time.Now()
}

// end is called after a row. It says why the host is too busy, if it is.
func (h *hostState) end() (busy string) {
	stolen := (readCPUTimes().stolen - h.start.stolen).Seconds() / time.Since(h.at).Seconds()
	others := max(h.others, h.watch())
	h.all++
	switch {
	case others > maxOthers:
		busy = fmt.Sprintf("others used %.0f %% of a core", 100*others)
	case stolen > maxSteal:
		busy = fmt.Sprintf("the hypervisor kept %.0f %% of a core", 100*stolen)
	default:
		return ""
	}
	h.busy++
	return busy
}

// summary says how busy the host was.
func (h *hostState) summary() string {
	if h.busy == 0 {
		return " Others used no more than a fifth of a core before or after any row."
	}
	return fmt.Sprintf(" Others used the machine before or after %d of %d rows.", h.busy, h.all)
}
