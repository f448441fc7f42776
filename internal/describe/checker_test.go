package describe

import "testing"

func TestRates(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0/s", 1e-5: "0/s", 0.00167: "0.0017/s", 0.0167: "0.017/s", 0.1: "0.1/s", 0.996: "1/s", 1.96: "2/s", 2.13: "2.1/s",
		33.3: "33/s", 120.4: "120/s", 10_000: "10000/s", 1e6: "1000000/s",
	} {
		if got := PerSecond(rate); got != want {
			t.Errorf("PerSecond(%v) = %s, want %s", rate, got, want)
		}
	}
}
