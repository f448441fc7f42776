package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// Read returns what was written, in order, from a console with other lines and other line ends.
func TestReadReturnsWhatWasWritten(t *testing.T) {
	var console bytes.Buffer
	fmt.Fprintln(&console, "Linux version")
	j := NewWriter(&console)
	j.Step(Step{Name: Hung, At: 2 * time.Second})
	console.WriteString("\r\nkernel: a message with no end of its own ")
	j.Table(Table{Service: UDP, Weights: map[string]int{"rs2": 1}, At: 3 * time.Second})
	j.Request(Request{Service: TCP, Start: time.Second, End: 2 * time.Second, OK: true})
	j.Drain(Drain{Service: UDP, Established: 3, OnDrained: 2, Broken: 1})
	j.Cost(Cost{Way: UDP, Targets: 200, CPU: time.Second, Checks: 5})
	j.Speed(Speed{Start: time.Second, Timeout: 12 * time.Second})
	j.Gap(Gap{At: time.Second, For: 2 * time.Second})
	j.Verdict(Verdict{Server: "rs1", Answer: Stalled, LastBegan: time.Second, Began: 2 * time.Second, At: 3 * time.Second})
	j.Failure(errors.New("it rained\nall day"))
	if err := j.End(); err != nil {
		t.Fatal(err)
	}
	got, err := Read(strings.NewReader(strings.ReplaceAll(console.String(), "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := Run{
		Steps:    []Step{{Name: Hung, At: 2 * time.Second}},
		Tables:   []Table{{Service: UDP, Weights: map[string]int{"rs2": 1}, At: 3 * time.Second}},
		Requests: []Request{{Service: TCP, Start: time.Second, End: 2 * time.Second, OK: true}},
		Drains:   []Drain{{Service: UDP, Established: 3, OnDrained: 2, Broken: 1}},
		Costs:    []Cost{{Way: UDP, Targets: 200, CPU: time.Second, Checks: 5}},
		Speed:    Speed{Start: time.Second, Timeout: 12 * time.Second},
		Gaps:     []Gap{{At: time.Second, For: 2 * time.Second}},
		Verdicts: []Verdict{{Server: "rs1", Answer: Stalled, LastBegan: time.Second, Began: 2 * time.Second, At: 3 * time.Second}},
		Failure:  "it rained\nall day",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("journal read back:\ngot  %+v\nwant %+v", got, want)
	}
}

func TestReadReportsBrokenJournal(t *testing.T) {
	for name, c := range map[string]struct {
		console string
		want    error
	}{
		"empty":    {"reboot: System halted\n", io.ErrUnexpectedEOF},
		"no end":   {prefix + `{"Step":{"Name":"x","At":1}}` + "\n", io.ErrUnexpectedEOF},
		"cut line": {prefix + `{"Step":{"Na` + "\n" + prefix + `{"End":true}` + "\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(c.console))
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Read: got error %v, want %v", err, c.want)
			}
		})
	}
}

func TestConcurrentWritesKeepLinesWhole(t *testing.T) {
	var console bytes.Buffer
	j := NewWriter(&console)
	const writers, lines = 4, 100
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range lines {
				j.Request(Request{Service: UDP})
			}
		})
	}
	all.Wait()
	if err := j.End(); err != nil {
		t.Fatal(err)
	}
	run, err := Read(&console)
	if err != nil {
		t.Fatal(err)
	}
	if len(run.Requests) != writers*lines {
		t.Errorf("requests: got %d, want %d", len(run.Requests), writers*lines)
	}
}

func TestEndReportsFailedWrite(t *testing.T) {
	reader, writer := io.Pipe()
	reader.Close()
	j := NewWriter(writer)
	j.Step(Step{Name: Hung})
	if err := j.End(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("End: got %v, want %v", err, io.ErrClosedPipe)
	}
}
