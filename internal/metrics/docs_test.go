package metrics

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
)

// addEverything makes f one of which there is one metric of each kind.
func (f *fixture) addEverything(t *testing.T) {
	var a frontend.Answers
	f.Metrics = New(Config{Source: f.registry, Checkers: f.checkers, Own: ofOwn(&a)})
	addMany(t, f.registry, 1, 5)
	frontendtest.NewProcess(t, f.registry, "stalled").Stall()
	steady := checkers.Checker{From: netip.MustParseAddr("10.0.0.1"), Via: checkers.LMPUDP}
	w := f.checkers.Watch(steady)
	w.Record(checkers.Check{Service: "stalled", Known: true})
	t.Cleanup(w.End)
	s := f.checkers.BFDSession(checkers.Peering{Name: "stalled", Peer: steady.From, Local: steady.From})
	t.Cleanup(s.End)
	f.checkers.SetGate("stalled", checkers.GateState{Name: "stalled"})
	time.Sleep(time.Minute) // until the checker is steady
	if _, known := f.registry.Status("stalled"); !known {
		t.Fatal("a service is gone")
	}
}

// docs/operations.md has every metric with its type and labels, and no other.
func TestDocumentationHasEveryMetric(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, row := range regexp.MustCompile("(?m)^\\| `(landmark_[a-z_]+)` \\| ([a-z]+) \\|([a-z_, ]*)\\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2] + " of " + strings.TrimSpace(row[3])
	}
	inBubble(t, func(t *testing.T, f *fixture) {
		f.addEverything(t)
		for name, family := range f.scrape(protobuf) {
			if !strings.HasPrefix(name, "landmark_") {
				continue
			}
			var labels []string
			for _, l := range family.Metric[0].Label {
				labels = append(labels, l.GetName())
			}
			want, ok := documented[name]
			delete(documented, name)
			kind, of, _ := strings.Cut(want, " of ")
			wanted := strings.FieldsFunc(of, func(r rune) bool { return r == ',' || r == ' ' })
			slices.Sort(labels)
			slices.Sort(wanted)
			if got := strings.ToLower(family.GetType().String()); !ok || got != kind || !slices.Equal(labels, wanted) {
				t.Errorf("%s: it is a %s of %v; the documentation says %q", name, got, labels, want)
			}
			if family.GetHelp() == "" {
				t.Errorf("%s has no help", name)
			}
		}
	})
	for name := range documented {
		t.Errorf("%s is documented, and there is none", name)
	}
}
