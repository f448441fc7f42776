package bfd

import (
	"bytes"
	"slices"
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

// Whatever a peer sends in whatever order, and whatever the verdict does: the session is
// Up only while the verdict is Serving, a packet that is discarded changes nothing, and
// packets cause at most one each 10 ms.
func FuzzSession(f *testing.F) {
	f.Add([]byte{0x40, 1, 0x81, 10, 0xc0, 3, 0xe0, 3, 0x40, 0, 0x02, 200})
	f.Add([]byte{0xc0, 1, 0xe0, 0, 0xe0, 0, 0xc4, 9, 0x40, 1, 0xc8, 1, 0x02, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		for _, key := range []Key{{}, landmarkKey} {
			s := NewSession(Config{Discriminator: ours, Interval: 100 * ms, Multiplier: 3, Key: key, Random: func() float64 { return 1 }})
			var now, sentAt time.Duration
			verdict, sent := Unknown, false
			for step := range slices.Chunk(script[:len(script)&^1], 2) {
				what, wait := step[0], step[1]
				now += time.Duration(wait) * ms
				changed := what&3 == 1 || what&3 == 2
				if changed {
					verdict = Verdict(what & 3)
					s.SetVerdict(verdict, now)
				} else {
					// The state, and then P, a discriminator, and an authentication that may
					// be wrong.
					p := Packet{
						State: State(what >> 6), Poll: what&0x20 != 0, Multiplier: 1 + wait&3, MyDiscriminator: theirs, YourDiscriminator: ours,
						DesiredMinTX: time.Duration(wait) * ms, RequiredMinRX: time.Duration(wait) * ms / 2,
					}
					if what&0x10 != 0 {
						p.YourDiscriminator = theirs
					}
					b := p.Append(nil)
					if what&0x08 != 0 {
						b = landmarkKey.Append(nil, p, uint32(wait))
					}
					parsed, err := Parse(b)
					if err != nil {
						continue
					}
					before := *s
					err = s.Receive(b, &parsed, now)
					if err != nil && (s.state != before.state || s.remote != before.remote || s.receivedAt != before.receivedAt || s.mustReply != before.mustReply || s.mustUpdate != before.mustUpdate) {
						t.Fatalf("%+v was discarded, %v, but changed the session", p, err)
					}
				}
				if state, _ := s.State(); state == Up && verdict != Serving {
					t.Fatalf("Up with the verdict %d", verdict)
				}
				if b := s.Advance(nil, now); len(b) > 0 {
					if sent && !changed && now-sentAt < minSpacing {
						t.Fatalf("sent %v after the last packet, without another verdict", now-sentAt)
					}
					if state := State(b[1] >> 6); state == Up && verdict != Serving {
						t.Fatalf("sent Up with the verdict %d", verdict)
					}
					sent, sentAt = true, now
				}
			}
		}
	})
}
