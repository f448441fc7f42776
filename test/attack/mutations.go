package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/landmark-health/landmark/lmp"
)

// mutationAttacks send invalid bytes.
func mutationAttacks() []attack {
	return []attack{{name: "mutated frames", what: "valid frames with changed bytes, to every listener", who: "network", measured: true, play: func(s *scene) {
		s.startPair()
		for _, target := range []string{"unixgram " + s.sidecar.notify(), "udp " + s.sidecar.monitor, "tcp " + s.sidecar.monitor, "tcp " + s.sidecar.grpc,
			"tcp " + s.sidecar.line, "unix " + s.sidecar.agents()} {
			s.attack("mutated frames", target, attackerUID)
		}
		s.runFor(2500*time.Millisecond, 20*time.Second)
	}}}
}

// sendMutatedFrames sends valid frames with some bytes changed, cut or repeated.
// The target has the form NETWORK ADDRESS.
func sendMutatedFrames(ctx context.Context, target string) error {
	network, address, _ := strings.Cut(target, " ")
	corpus := validInputs()
	return each(ctx, 4, func(ctx context.Context, i int) {
		random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i)))
		for ctx.Err() == nil {
			conn, err := net.Dial(network, address)
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
			for range 1 + random.IntN(3) {
				conn.Write(mutate(random, corpus[random.IntN(len(corpus))]))
			}
			if random.IntN(4) == 0 {
				conn.Read(make([]byte, 1<<16))
			}
			conn.Close()
			time.Sleep(time.Millisecond)
		}
	})
}

// validInputs returns valid first bytes for every listener.
func validInputs() [][]byte {
	var all [][]byte
	for _, kind := range []lmp.Kind{lmp.KindCheck, lmp.KindWatch, lmp.KindDescribe} {
		for _, service := range []string{"well", "hung", ""} {
			b, err := lmp.AppendRequest(nil, lmp.Request{Kind: kind, Nonce: 1, Service: []byte(service)}, nil)
			if err != nil {
				panic(err) // a mistake here
			}
			all = append(all, b)
		}
	}
	all = append(all, []byte("check well\n"), []byte("agent hung\n"))
	var frames strings.Builder
	frames.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&frames, nil)
	f.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 14})
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte("\x83\x86\x44\x0a/watchwell")})
	f.WriteData(1, true, fmt.Append(message(4, 0), "well"))
	f.WriteWindowUpdate(0, 1<<20)
	f.WriteRSTStream(1, http2.ErrCodeCancel)
	return append(all, []byte(frames.String()))
}

// mutate returns a changed copy of b.
func mutate(random *rand.Rand, b []byte) []byte {
	b = append([]byte(nil), b...)
	for range 1 + random.IntN(4) {
		switch at := random.IntN(len(b)); random.IntN(4) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b[at] = byte(random.IntN(256))
		case 2:
			b = b[:at+1]
		case 3:
			b = append(b, b[at:]...)
		}
	}
	return b[:min(len(b), 4096)]
}
