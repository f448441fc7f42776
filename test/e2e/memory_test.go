//go:build e2e

package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/landmark-health/landmark/lmp"
)

// memoryLimit is the most memory that landmarkd may ever use, in kB.
const memoryLimit = 128 << 10

// peakMemory returns the most memory that the process has used so far, in kB.
func (p *process) peakMemory() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return kB
}

// rawConn is the client's end of a connection on which a test sends anything.
type rawConn struct {
	net.Conn
	framer *http2.Framer
	block  bytes.Buffer
	coder  *hpack.Encoder
	stream uint32
}

// dialRaw connects to the address. It returns nil if that fails.
func dialRaw(t *testing.T, network, address string) *rawConn {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetWriteDeadline(time.Now().Add(testTimeout))
	go io.Copy(io.Discard, conn)
	s := &rawConn{Conn: conn, framer: http2.NewFramer(conn, nil)}
	s.coder = hpack.NewEncoder(&s.block)
	return s
}

// begin begins a call with extra bytes of metadata.
func (s *rawConn) begin(method string, extra int) error {
	if s.stream == 0 {
		io.WriteString(s, http2.ClientPreface)
		s.framer.WriteSettings()
		s.stream = 1
	} else {
		s.stream += 2
	}
	s.block.Reset()
	for _, field := range []string{":method POST", ":scheme http", ":path " + method, ":authority x",
		"content-type application/grpc", "te trailers", "x-more " + strings.Repeat("x", extra)} {
		name, value, _ := strings.Cut(field, " ")
		s.coder.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	block := s.block.Bytes()
	first := block[:min(len(block), 16384)]
	err := s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: s.stream, BlockFragment: first, EndHeaders: len(first) == len(block)})
	for block = block[len(first):]; err == nil && len(block) > 0; {
		part := block[:min(len(block), 16384)]
		block = block[len(part):]
		err = s.framer.WriteContinuation(s.stream, len(block) == 0, part)
	}
	return err
}

// message sends the header of a message of the given length, and its first bytes.
func (s *rawConn) message(length int, first []byte) error {
	header := []byte{0, byte(length >> 24), byte(length >> 16), byte(length >> 8), byte(length)}
	data := append(header, first...)
	for len(data) > 0 {
		part := data[:min(len(data), 16384)]
		data = data[len(part):]
		if err := s.framer.WriteData(s.stream, false, part); err != nil {
			return err
		}
	}
	return nil
}

// Whatever clients send to its listeners, landmarkd uses at most 128 MB and goes
// on answering correctly.
func TestMemoryIsBounded(t *testing.T) {
	const (
		watch  = "/grpc.health.v1.Health/Watch"
		report = "/landmark.intake.v1.IntakeService/Stream"
	)
	// unfinished returns an attack that begins calls and messages and does not end
	// them.
	unfinished := func(network string, address func(*env) string, method string, length int) func(*testing.T, *env) {
		return func(t *testing.T, e *env) {
			for range 20 {
				s := dialRaw(t, network, address(e))
				for n := 0; s != nil && n < 100; n++ {
					if s.begin(method, 0) != nil || s.message(length, make([]byte, 60<<10)) != nil {
						break
					}
				}
			}
		}
	}
	grpc := func(e *env) string { return e.grpc }
	attacks := map[string]func(*testing.T, *env){
		"long names": func(t *testing.T, e *env) {
			for range 10 {
				s := dialRaw(t, "tcp", e.grpc)
				for n := 0; s != nil && n < 90; n++ {
					name := append([]byte{0x0A, 0x80, 0xF0, 0x03}, bytes.Repeat([]byte{byte('a' + n%26)}, 63488)...)
					if s.begin(watch, 0) != nil || s.message(len(name), name) != nil {
						break
					}
				}
			}
		},
		"unfinished requests": unfinished("tcp", grpc, watch, 1<<20),
		"unfinished reports":  unfinished("unix", func(e *env) string { return e.socket }, report, 380<<10),
		"metadata": func(t *testing.T, e *env) {
			for range 20 {
				s := dialRaw(t, "tcp", e.grpc)
				for n := 0; s != nil && n < 100; n++ {
					if s.begin(watch, 60_000) != nil {
						break
					}
				}
			}
		},
		"resets": func(t *testing.T, e *env) {
			for range 20 {
				s := dialRaw(t, "tcp", e.grpc)
				for n := 0; s != nil && n < 20_000; n++ {
					if s.begin(watch, 0) != nil || s.framer.WriteRSTStream(s.stream, http2.ErrCodeCancel) != nil {
						break
					}
				}
			}
		},
		"many streams": func(t *testing.T, e *env) {
			for range 500 {
				s := dialRaw(t, "tcp", e.grpc)
				for n := 0; s != nil && n < 8; n++ {
					if s.begin(watch, 2000) != nil || s.message(0, nil) != nil {
						break
					}
				}
			}
		},
		"long frames": func(t *testing.T, e *env) {
			frame := make([]byte, 60_000)
			q, err := lmp.AppendRequest(nil, lmp.Request{Kind: lmp.KindCheck}, nil)
			if err != nil {
				t.Fatal(err)
			}
			copy(frame, q)
			frame[6], frame[7] = 0xFF, 0xFF
			for range 2000 {
				if s := dialRaw(t, "tcp", e.monitor); s != nil {
					s.Write(frame)
				}
			}
		},
	}
	run := func(t *testing.T, e *env, attack func(*testing.T, *env)) {
		t.Helper()
		attack(t, e)
		for _, network := range []string{"udp", "tcp"} {
			e.await(checkLMP(network, 0), "epg", "SERVING none")
		}
	}
	assertMemory := func(t *testing.T, e *env) {
		t.Helper()
		kB := e.sidecar.peakMemory()
		t.Logf("landmarkd used %d kB", kB)
		if kB > memoryLimit {
			t.Errorf("memory of landmarkd: got %d kB, want at most %d", kB, memoryLimit)
		}
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			e.epg("2s")
			run(t, e, attack)
			assertMemory(t, e)
		})
	}
	t.Run("all at once", func(t *testing.T) {
		e := newEnv(t)
		e.epg("2s")
		for _, attack := range attacks {
			run(t, e, attack)
		}
		assertMemory(t, e)
	})
}
