package lmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/landmark-health/landmark/lmp"
)

func TestFramesAreReadHoweverTheyAreSplit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var frames [][]byte
		for range 1 + random.IntN(8) {
			frames = append(frames, randomFrame(random))
		}
		all := slices.Concat(frames...)
		reader := newFrameReader(1)
		for i, want := range frames {
			reader.size = []int{smallBuffer, fullBuffer}[random.IntN(2)]
			got, err := reader.next(func(b []byte) int {
				n := copy(b, all[:min(len(all), 1+random.IntN([]int{2, 40, 600, 70_000}[random.IntN(4)]))])
				all = all[n:]
				return n
			})
			if err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("frame %d of %d bytes was read as another of %d", i, len(want), len(got))
			}
		}
		if _, err := reader.next(func([]byte) int { return 0 }); !errors.Is(err, io.EOF) || reader.unfinished() {
			t.Errorf("at the end the error is %v, want io.EOF and no more bytes", err)
		}
	}
}

// frameReader reads frames as a connection does: each read is a visit of its own, with
// another buffer.
type frameReader struct {
	frames
	size int // of the part of the buffer that is used
}

func newFrameReader(tokens int) *frameReader {
	return &frameReader{frames{large: make(largeFrames, tokens)}, fullBuffer}
}

// readFunc returns how many bytes it has read, 0 at the end.
type readFunc func([]byte) int

func (f readFunc) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if n := f(b); n > 0 {
		return n, nil
	}
	return 0, io.EOF
}

// next returns a copy of the next frame, or the error of reading it.
func (f *frameReader) next(read readFunc) ([]byte, error) {
	for {
		f.load(make([]byte, fullBuffer), f.size)
		frame, err := f.frames.next()
		if frame == nil && err == nil {
			if _, err = f.read(read); err == nil {
				frame, err = f.frames.next()
			}
		}
		frame = bytes.Clone(frame)
		if err := errors.Join(err, f.store()); err != nil || frame != nil {
			return frame, err
		}
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
		if _, err := newFrameReader(1).next(func(b []byte) int { return copy(b, begin) }); !errors.Is(err, lmp.ErrMalformed) {
			t.Errorf("% X: %v", begin, err)
		}
	}
}

// A frame that the connection cannot answer yet is returned again.
func TestUnreadFrameIsReturnedAgain(t *testing.T) {
	large := make([]byte, lmp.MaxLength)
	copy(large, check(t, "epg"))
	binary.BigEndian.PutUint16(large[6:], lmp.MaxLength)
	reader := newFrameReader(1)
	sent := slices.Concat(check(t, "a"), large, check(t, "b"), check(t, "c"))
	read := func(b []byte) int { n := copy(b, sent); sent = sent[n:]; return n }
	for _, want := range []int{35, len(large), 35, 35} {
		for range 2 {
			reader.load(make([]byte, fullBuffer), fullBuffer)
			frame, err := reader.frames.next()
			for frame == nil && err == nil {
				reader.frames.read(readFunc(read))
				frame, err = reader.frames.next()
				if frame == nil {
					if err := reader.store(); err != nil {
						t.Fatal(err)
					}
					reader.load(make([]byte, fullBuffer), fullBuffer)
				}
			}
			if err != nil || len(frame) != want {
				t.Fatalf("got %d bytes, %v, want %d", len(frame), err, want)
			}
			reader.unread(frame)
			if err := reader.store(); err != nil {
				t.Fatal(err)
			}
		}
		reader.load(make([]byte, fullBuffer), fullBuffer)
		reader.frames.next()
		if err := reader.store(); err != nil {
			t.Fatal(err)
		}
	}
}

// A large frame counts from its header until it is whole and read.
func TestLargeFramesAreLimited(t *testing.T) {
	tokens := make(largeFrames, 1)
	large := make([]byte, lmp.MaxLength)
	copy(large, check(t, "epg"))
	binary.BigEndian.PutUint16(large[6:], lmp.MaxLength)
	read := func(sent ...[]byte) (*frameReader, error) {
		all := slices.Concat(sent...)
		reader := &frameReader{frames{large: tokens}, fullBuffer}
		var err error
		for range sent {
			_, err = reader.next(func(b []byte) int { n := copy(b, all); all = all[n:]; return n })
		}
		return reader, err
	}
	unfinishedFrame, err := read(large[:1000])
	if !errors.Is(err, io.EOF) || !unfinishedFrame.unfinished() {
		t.Errorf("an unfinished frame: %v", err)
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
}
