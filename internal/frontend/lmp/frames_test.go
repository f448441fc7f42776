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

func TestFramesAreReadHoweverTheyAreSplit(t *testing.T) {
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
			reader := newFrameReader(server, make(largeFrames, 1))
			for i, want := range frames {
				got, err := reader.next(t.Context(), 0)
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if !bytes.Equal(got, want) {
					t.Fatalf("frame %d of %d bytes was read as another of %d", i, len(want), len(got))
				}
			}
			if reader.ready() {
				t.Error("one more frame is ready, want none")
			}
			if _, err := reader.next(t.Context(), 0); !errors.Is(err, io.EOF) {
				t.Errorf("at the end the error is %v, want io.EOF", err)
			}
		})
	}
}

// randomFrame returns a frame header followed by random bytes. Its length is often
// one at which the reader changes its buffer.
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

// The reader does not wait for more bytes.
func TestMalformedFrameIsRejectedAtFirstWrongByte(t *testing.T) {
	for _, begin := range [][]byte{
		{'G'}, {0x4C, 'X'}, {0x4C, 0x4D, 2}, {0x4C, 0x4D, 1, 1, 0, 0, 0, 31},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			defer server.Close()
			go client.Write(begin)
			if _, err := newFrameReader(server, make(largeFrames, 1)).next(t.Context(), 0); !errors.Is(err, lmp.ErrMalformed) {
				t.Errorf("% X: %v", begin, err)
			}
		})
	}
}

// A large frame counts from its header until the next small frame.
func TestLargeFramesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := make(largeFrames, 1)
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
		unfinishedFrame, err := read(large[:1000])
		if !errors.Is(err, errUnfinished) {
			t.Errorf("an unfinished frame: %v, want %v", err, errUnfinished)
		}
		if _, err := read(large); !errors.Is(err, errTooManyLargeFrames) {
			t.Errorf("a second large frame: %v, want %v", err, errTooManyLargeFrames)
		}
		if _, err := read(check(t, "epg")); err != nil {
			t.Errorf("a small frame: %v", err)
		}
		unfinishedFrame.close()
		unfinishedFrame.close()
		if _, err := read(large, check(t, "epg")); err != nil {
			t.Errorf("a large frame after the first has ended: %v", err)
		}
		if len(tokens) != 0 {
			t.Errorf("%d tokens are held though no large frame is read", len(tokens))
		}
	})
}
