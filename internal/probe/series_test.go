package probe

import (
	"errors"
	"testing"
)

// Each letter is a check: o succeeds, x fails, l fails for landmarkd's own reason. The
// result after it is + (holds), - (does not), or u (landmarkd's own failure).
func TestSeries(t *testing.T) {
	for _, tt := range []struct {
		fall, rise   int
		checks, want string
		reason       string
	}{
		{1, 1, "oxoox", "+-++-", "why"},
		{1, 1, "xo", "-+", ""},
		{3, 1, "oxxoxxx", "++++++-", "why"},
		{3, 1, "oxx", "+++", "failed in 2 of 3 checks: why"},
		{1, 3, "xooxooo", "------+", ""},
		{1, 3, "xoo", "---", "healthy again in 2 of 3 checks"},
		{1, 3, "o", "+", ""}, // the first decides
		{3, 3, "x", "-", "why"},
		{2, 2, "ollxl", "++u-u", "why"},
	} {
		c, s := &Check{Fall: tt.fall, Rise: tt.rise}, Series{}
		got := ""
		for _, letter := range tt.checks {
			o := Outcome{Took: 1}
			if letter != 'o' {
				o.Err, o.Own = errors.New("why"), letter == 'l'
			}
			s = s.Add(c, o)
			switch {
			case s.Own:
				got += "u"
			case s.Holds:
				got += "+"
			default:
				got += "-"
			}
			if !s.Checked || s.Took != 1 {
				t.Errorf("%+v", s)
			}
		}
		if got != tt.want || s.Reason != tt.reason {
			t.Errorf("fall %d, rise %d, %s: got %s (%q), want %s (%q)", tt.fall, tt.rise, tt.checks, got, s.Reason, tt.want, tt.reason)
		}
	}
}
