package quota

import "testing"

func TestCounterRejectsMoreThanItsLimit(t *testing.T) {
	var c Counter
	for _, step := range []struct {
		uid  uint32
		n    int
		want bool
	}{{1, 3, true}, {1, 1, false}, {2, 3, true}, {1, -1, true}, {1, 1, true}} {
		if got := c.Take(step.uid, step.n, 3); got != step.want {
			t.Errorf("Take(%d, %d, 3) = %v, want %v", step.uid, step.n, got, step.want)
		}
	}
	c.Add(2, -3)
	if got, total, users := c.Of(1), c.Total(), c.Users(); got != 3 || total != 3 || users != 1 {
		t.Errorf("got %d of user 1, %d in all, %d users; want 3, 3, 1", got, total, users)
	}
}
