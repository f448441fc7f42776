package lmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/landmark-health/landmark/lmp"
)

// However frames of any lengths are cut on their way, the same come out.
func TestFramesHoweverTheyAreCut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var frames [][]byte
		for range 1 + random.IntN(8) {
			frames = append(frames, randomFrame(random))
		}
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer server.Close()
			go func() {
				defer client.Close()
				for all := slices.Concat(frames...); len(all) > 0; {
					n := min(len(all), 1+random.IntN([]int{2, 40, 600, 70_000}[random.IntN(4)]))
					if _, err := client.Write(all[:n]); err != nil {
						t.Error(err)
						return
					}
					all = all[n:]
				}
			}()
			reader := newFrameReader(server, make(large, 1))
			for i, want := range frames {
				got, err := reader.next(t.Context(), 0)
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("frame %d of %d bytes came as another, of %d", i, len(want), len(got))
				}
			}
			if reader.ready() {
				t.Error("there is one more")
			}
			if _, err := reader.next(t.Context(), 0); !errors.Is(err, io.EOF) {
				t.Errorf("the end came as %v", err)
			}
		})
	}
}

// randomFrame returns a header of a frame, and anything behind it; of the
// lengths at which the reader's buffer changes, more than of others.
func randomFrame(random *rand.Rand) []byte {
	length := []int{
		lmp.HeaderLength,
		lmp.HeaderLength + random.IntN(600),
		smallBuffer - 2 + random.IntN(5),
		lmp.HeaderLength + random.IntN(lmp.MaxLength-lmp.HeaderLength),
		lmp.MaxLength,
	}[random.IntN(5)]
	frame := make([]byte, length)
	for i := range frame {
		frame[i] = byte(random.Uint32())
	}
	copy(frame, []byte{0x4C, 0x4D, 0x01})
	return with(frame)
}

// What can be no frame is refused at its first wrong byte, without waiting
// for more.
func TestFrameIsRefusedAtOnce(t *testing.T) {
	for _, begin := range [][]byte{
		{'G'}, {0x4C, 'X'}, {0x4C, 0x4D, 2}, {0x4C, 0x4D, 1, 1, 0, 0, 0, 31},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			go client.Write(begin)
			if _, err := newFrameReader(server, make(large, 1)).next(t.Context(), 0); !errors.Is(err, lmp.ErrMalformed) {
				t.Errorf("% X: %v", begin, err)
			}
		})
	}
}

// Of large frames there are only so many at once, each from its header to the
// next small one.
func TestLargeFramesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := make(large, 1)
		large := make([]byte, lmp.MaxLength)
		copy(large, check(t, "epg"))
		binary.BigEndian.PutUint16(large[6:], lmp.MaxLength)
		read := func(sent ...[]byte) (*frameReader, error) {
			client, server := net.Pipe()
			t.Cleanup(func() { client.Close() })
			go client.Write(slices.Concat(sent...))
			frames := newFrameReader(server, tokens)
			var err error
			for range sent {
				_, err = frames.next(t.Context(), time.Second)
			}
			return frames, err
		}
		begun, err := read(large[:1000])
		if !errors.Is(err, errUnfinished) {
			t.Errorf("a frame that does not come whole: %v", err)
		}
		if _, err := read(large); !errors.Is(err, errCrowded) {
			t.Errorf("a second large frame: %v, want %v", err, errCrowded)
		}
		if _, err := read(check(t, "epg")); err != nil {
			t.Errorf("a small frame: %v", err)
		}
		begun.close()
		begun.close()
		if _, err := read(large, check(t, "epg")); err != nil {
			t.Errorf("after it has ended: %v", err)
		}
		if len(tokens) != 0 {
			t.Errorf("%d tokens are taken while only small frames are waited for", len(tokens))
		}
	})
}
