package bfd

import (
	"bytes"
	"testing"
	"time"
)

// What Parse accepts is encoded to the same bytes, except for what it ignores. No
// packet makes a session panic, or come up without the verdict Serving.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		encoded := p.Append(nil)
		if len(encoded) == int(b[3]) && !bytes.Equal(encoded, b[:b[3]]) {
			t.Errorf("%x was parsed as %+v and encoded as %x", b, p, encoded)
		}
		if again, err := Parse(encoded); err != nil || again != p {
			t.Errorf("%+v, encoded and parsed again, is %+v, %v", p, again, err)
		}
		p.YourDiscriminator = ours
		s := NewSession(Config{Discriminator: ours, Interval: 100 * ms, Multiplier: 3, Random: func() float64 { return 1 }})
		for i := range 10 {
			now := time.Duration(i) * 50 * ms
			s.SetVerdict(Verdict(i%2)*NotServing, now)
			s.Receive(b, &p, now)
			s.Advance(nil, now)
			if state, _ := s.State(); state != Down {
				t.Errorf("a session that does not serve is %v after %+v", state, p)
			}
		}
	})
}
