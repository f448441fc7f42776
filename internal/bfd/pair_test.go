package bfd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// pair is two sessions against each other over a network that loses and delays
// packets.
type pair struct {
	t       *testing.T
	now     time.Duration
	ends    [2]*Session
	configs [2]Config
	states  [2]State // when they last advanced
	loss    float64
	random  *rand.Rand
	flying  []flight
	log     []string
}

// flight is a packet on its way to an end.
type flight struct {
	to     int
	arrive time.Duration
	bytes  []byte
}

func newPair(t *testing.T, seed uint64) *pair {
	p := &pair{t: t, random: rand.New(rand.NewPCG(seed, 0))}
	for i := range p.ends {
		p.configs[i] = Config{
			Discriminator: uint32(i + 1),
			Interval:      time.Duration(50+p.random.IntN(1000)) * ms,
			Multiplier:    uint8(2 + p.random.IntN(4)),
			Passive:       i == 1 && p.random.IntN(2) == 0,
			Key:           landmarkKey,
			Epoch:         time.Duration(p.random.Int64N(int64(1 << 60))),
			Random:        p.random.Float64,
		}
		p.ends[i] = NewSession(p.configs[i])
	}
	return p
}

// run lets time pass. No packet says Up unless the verdict is Serving.
func (p *pair) run(d time.Duration) {
	p.t.Helper()
	for end := p.now + d; p.now < end; p.now += 5 * ms {
		var left []flight
		for _, f := range p.flying {
			if f.arrive > p.now {
				left = append(left, f)
				continue
			}
			packet, err := Parse(f.bytes)
			if err != nil {
				p.t.Fatal(err)
			}
			if err := p.ends[f.to].Receive(f.bytes, &packet, p.now); err != nil {
				p.log = append(p.log, fmt.Sprintf("%v: end %d: %v", p.now, f.to, err))
			}
		}
		p.flying = left
		for i, s := range p.ends {
			b := s.Advance(nil, p.now)
			if state, d := s.State(); state != p.states[i] {
				p.states[i] = state
				p.log = append(p.log, fmt.Sprintf("%v: end %d is %v, %d", p.now, i, state, d))
			}
			if len(b) == 0 {
				continue
			}
			if State(b[1]>>6) == Up && s.verdict != Serving {
				p.t.Fatalf("%v: end %d says Up with the verdict %d", p.now, i, s.verdict)
			}
			if p.random.Float64() >= p.loss {
				p.flying = append(p.flying, flight{1 - i, p.now + time.Duration(p.random.IntN(20))*ms, b})
			}
		}
	}
}

// both reports whether both ends are in the state.
func (p *pair) both(want State) bool {
	a, _ := p.ends[0].State()
	b, _ := p.ends[1].State()
	return a == want && b == want
}

// Two sessions come up, whatever was lost before. The end of one, by its verdict, is
// the end of the other. A restart is no event if it is short.
func TestPair(t *testing.T) {
	for seed := range uint64(200) {
		p := newPair(t, seed)
		fail := func(what string) {
			t.Helper()
			t.Fatalf("seed %d, at %v: %s\n%+v\n%q", seed, p.now, what, p.configs, p.log)
		}
		p.ends[1].SetVerdict(Serving, 0)
		p.ends[0].SetVerdict(Serving, 0)
		p.loss = 0.5
		p.run(30 * time.Second)
		p.loss = 0
		p.run(30 * time.Second)
		if !p.both(Up) {
			fail("the sessions are not up")
		}

		// One detection time is at least two intervals.
		p.ends[0], p.states[0], p.log = NewSession(p.configs[0]), Down, nil
		p.run(10 * ms)
		p.ends[0].SetVerdict(Serving, p.now)
		p.run(10 * time.Second)
		if !p.both(Up) || len(p.log) != 1 { // the new one came up
			fail("a restart is an event")
		}

		p.ends[0].SetVerdict(NotServing, p.now)
		p.run(50 * ms)
		if state, diagnostic := p.ends[1].State(); state == Up || diagnostic != NeighborDown {
			fail("the peer did not learn that the path is down")
		}
		p.loss = 0.5
		p.run(30 * time.Second)
		if state, _ := p.ends[1].State(); state == Up {
			fail("the peer is up without the service")
		}
		p.loss = 0
		p.ends[0].SetVerdict(Serving, p.now)
		p.run(10 * time.Second)
		if !p.both(Up) {
			fail("the sessions did not come up again")
		}
	}
}
