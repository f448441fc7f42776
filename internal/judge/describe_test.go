package judge

import "testing"

// TestDescribePresumesFailures checks that the landmarks of a process that is
// gone or silent are failing, and that only those that were healthy in its last
// report are marked as presumed.
func TestDescribePresumesFailures(t *testing.T) {
	host := Host{ReadAt: testNow, Landmarks: []Landmark{{Declared: &Declared{Name: "port", Kind: KindCondition, Impact: ImpactReadiness}, Reached: true, Met: true}}}
	for _, test := range []struct {
		name      string
		instances []*Instance
		want      []LandmarkState // without their landmarks
	}{
		{
			"connected and healthy",
			[]*Instance{instanceThatIs(None)},
			[]LandmarkState{{State: OK}, {State: OK}, {State: OK}},
		},
		{
			"connected and stalled",
			[]*Instance{instanceThatIs(Stalled)},
			[]LandmarkState{{State: Failing}, {State: OK}, {State: OK}},
		},
		{
			"lost while healthy",
			[]*Instance{instanceThatIs(Lost)},
			[]LandmarkState{{State: Failing, Presumed: true}, {State: Failing, Presumed: true}, {State: OK}},
		},
		{
			"stopped while healthy",
			[]*Instance{instanceThatIs(Stopped)},
			[]LandmarkState{{State: Failing, Presumed: true}, {State: Failing, Presumed: true}, {State: OK}},
		},
		{
			"a lost process beside a stalled one",
			[]*Instance{instanceThatIs(Lost), instanceThatIs(Stalled)},
			[]LandmarkState{{State: Failing}, {State: Failing, Presumed: true}, {State: OK}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Describe(DefaultPolicy, Service{Instances: test.instances, Host: host}, testNow)
			if len(got) != len(test.want) {
				t.Fatalf("%d landmarks, want %d", len(got), len(test.want))
			}
			for i, r := range got {
				if r.State != test.want[i].State || r.Presumed != test.want[i].Presumed {
					t.Errorf("%s: state %d, presumed %v; want %d, %v", r.Name, r.State, r.Presumed, test.want[i].State, test.want[i].Presumed)
				}
			}
		})
	}

	stale := host
	stale.ReadAt -= Instant(DefaultPolicy.StaleAfter) + 1
	got := Describe(DefaultPolicy, Service{Host: stale}, testNow)
	if len(got) != 1 || got[0].State != Failing || !got[0].Presumed {
		t.Errorf("a host that was not read for too long: %+v, want a presumed failure", got)
	}
}

// TestDescribeReportsRealFailuresOfLostProcesses checks that a landmark that was
// failing when its process was lost is not marked as presumed.
func TestDescribeReportsRealFailuresOfLostProcesses(t *testing.T) {
	in := instanceThatIs(Stalled)
	in.Presence, in.Since = Vacant, testNow
	got := Describe(DefaultPolicy, Service{Instances: []*Instance{in}}, testNow)
	if got[0].Name != "main" || got[0].State != Failing || got[0].Presumed {
		t.Errorf("%+v, want main failing by its last report", got[0])
	}
	if got[1].Name != "feed" || !got[1].Presumed {
		t.Errorf("%+v, want feed presumed", got[1])
	}
}

// Each process has its own cause, and those do not count that drain beside others, or have
// not started beside others.
func TestDescribeInstances(t *testing.T) {
	draining, newcomer := instanceThatIs(None), instanceThatIs(Starting)
	draining.Draining, newcomer.Newcomer = true, true
	s := Service{Instances: []*Instance{instanceThatIs(None), instanceThatIs(Stalled), instanceThatIs(Lost), draining, newcomer}}
	want := []InstanceState{{Cause: None, Counts: true}, {Cause: Stalled, Counts: true}, {Cause: Lost, Counts: true}, {Cause: Draining}, {Cause: Starting}}
	got := DescribeInstances(DefaultPolicy, s, testNow)
	if len(got) != len(want) {
		t.Fatalf("%d instances, want %d", len(got), len(want))
	}
	for i, in := range got {
		if in.Instance != s.Instances[i] || in.Cause != want[i].Cause || in.Counts != want[i].Counts {
			t.Errorf("instance %d: %v, counts %v; want %v, %v", i, in.Cause, in.Counts, want[i].Cause, want[i].Counts)
		}
	}
}
