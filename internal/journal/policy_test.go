package journal

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/probe"
	"github.com/landmark-health/landmark/internal/registry"
)

// fill sets all fields of the struct, and what they point to, to values that differ.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n))
	default:
		v.SetInt(*n)
	}
}

// What the judge needs of a policy, and what it remembers, must come back from the journal
// with every field.
func TestPolicyComesBackFromTheJournal(t *testing.T) {
	var n int64
	want := registry.Policy{Configured: true}
	var o registry.Override
	fill(reflect.ValueOf(&want.Policy).Elem(), &n)
	fill(reflect.ValueOf(&o).Elem(), &n)
	want.Landmarks = map[string]registry.Override{"main loop": o}
	given := want
	given.Host = []registry.HostLandmark{{Probe: &probe.Check{Fall: 2, Rise: 3}}}
	line := PolicyOf(&given)
	if line.Fall != 2 || line.Rise != 3 {
		t.Errorf("got fall %d and rise %d, want 2 and 3", line.Fall, line.Rise)
	}
	if diff := cmp.Diff(&want, line.Registry()); diff != "" {
		t.Errorf("the policy differs (-want +got):\n%s", diff)
	}
}

func TestHistoryComesBackFromTheJournal(t *testing.T) {
	var n int64
	var want judge.History
	fill(reflect.ValueOf(&want).Elem(), &n)
	if got := HistoryOf(want).Judge(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := (*History)(nil).Judge(); got != (judge.History{}) {
		t.Errorf("of no history: got %+v, want an empty one", got)
	}
}
