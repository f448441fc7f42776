package lmp

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

func TestCheckOverUDP(t *testing.T) {
	r, p := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	a := newChecker(t, s.at("127.0.0.1"))
	for _, service := range []string{"epg", "", "epg-liveness", "startup"} {
		q := check(t, service)
		got := a.ask(s.at("127.0.0.1"), q)
		if len(got) != 32 || !bytes.HasPrefix(got, []byte{0x4C, 0x4D, 0x01, 0x81, 0x01}) {
			t.Errorf("%q: % X", service, got)
		}
		told(t, parse(t, got, q), lmp.StatusServing, lmp.CauseNone)
	}
	p.report(0, wedged())
	q := check(t, "epg")
	answer := parse(t, a.ask(s.at("127.0.0.1"), q), q)
	told(t, answer, lmp.StatusNotServing, lmp.CauseStalled)
	if answer.Weight != 0 || answer.Failing != 1 || answer.Age < longAgo || answer.Changes == 0 {
		t.Errorf("%+v", answer)
	}
}

// keepalivedPayload is the payload of docs/lmp.md for keepalived's UDP_CHECK.
const keepalivedPayload = "4C4D0101000000250000000000000000000000000000000000000000000000000103657067"

func TestFixedPayload(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	payload, err := hex.DecodeString(keepalivedPayload)
	if err != nil {
		t.Fatal(err)
	}
	a := newChecker(t, s.at("127.0.0.1"))
	for range 3 {
		if got := a.ask(s.at("127.0.0.1"), payload); len(got) != 32 || !bytes.HasPrefix(got, []byte{0x4C, 0x4D, 0x01, 0x81, 0x01}) {
			t.Errorf("% X", got)
		}
	}
}

// changed returns the frame with the byte at i set.
func changed(frame []byte, i int, to byte) []byte {
	frame = slices.Clone(frame)
	frame[i] = to
	return frame
}

// with returns the frame with more bytes after it, which its length includes.
func with(frame []byte, fields ...byte) []byte {
	frame = append(slices.Clone(frame), fields...)
	frame[6], frame[7] = byte(len(frame)>>8), byte(len(frame))
	return frame
}

// malformedRequests break each rule of docs/lmp.md once.
func malformedRequests(t testing.TB) map[string][]byte {
	good := check(t, "epg")
	bare := check(t, "")
	return map[string][]byte{
		"magic":              changed(good, 0, 'X'),
		"magic's other half": changed(good, 1, 'X'),
		"version 0":          changed(good, 2, 0),
		"version 2":          changed(good, 2, 2),
		"kind 0":             changed(good, 3, 0),
		"kind 4":             changed(good, 3, 4),
		"an answer":          changed(good, 3, 0x81),
		"length under 32":    changed(good, 7, 31),
		"half a field":       with(bare, 0x01),
		"field overruns":     with(bare, 0x01, 4, 'e', 'p', 'g'),
		"unknown overruns":   with(bare, 0x55, 1),
		"service twice":      with(good, 0x01, 0),
		"7F too short":       with(good, append([]byte{0x7F, 19}, make([]byte, 19)...)...),
		"7F not last":        with(good, append([]byte{0x7F, 20}, make([]byte, 22)...)...),
	}
}

func TestDatagramsThatAreNotAnswered(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	at, good := s.at("127.0.0.1"), check(t, "epg")
	silent := map[string][]byte{
		"empty":                      {},
		"one byte":                   good[:1],
		"31 bytes":                   check(t, "")[:31],
		"shorter than its length":    good[:len(good)-1],
		"64 KiB of nothing":          make([]byte, 65507),
		"length over the datagram's": changed(good, 6, 1),
	}
	for name, b := range malformedRequests(t) {
		silent[name] = b
	}
	for name, b := range silent {
		t.Run(name, func(t *testing.T) { s.silence(t, at, at, b, malformed, good) })
	}
	t.Run("WATCH", func(t *testing.T) {
		s.silence(t, at, at, request(t, lmp.Request{Kind: lmp.KindWatch}, nil), watchOverUDP, good)
	})
}

func TestDatagramsThatAreNotSigned(t *testing.T) {
	r, _ := newRegistry(t)
	one, two := key(t, 1, "a"), key(t, 2, "b")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{one, two}})
	at := s.at("127.0.0.1")
	q := lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), Nonce: 7}
	signed := request(t, q, one)
	for name, tt := range map[string]struct {
		b   []byte
		why refusal
	}{
		"unsigned":          {request(t, q, nil), unauthenticated},
		"of no such number": {request(t, q, key(t, 3, "a")), unauthenticated},
		"of another secret": {request(t, q, key(t, 1, "b")), unauthenticated},
		"changed service":   {changed(signed, 34, 'X'), unauthenticated},
		"changed nonce":     {changed(signed, 15, 8), unauthenticated},
		"changed code":      {changed(signed, len(signed)-1, signed[len(signed)-1]^1), unauthenticated},
		"unsigned WATCH":    {request(t, lmp.Request{Kind: lmp.KindWatch}, nil), unauthenticated},
		"signed WATCH":      {request(t, lmp.Request{Kind: lmp.KindWatch}, one), watchOverUDP},
		"signed nonsense":   {changed(signed, 3, 9), malformed},
	} {
		t.Run(name, func(t *testing.T) { s.silence(t, at, at, tt.b, tt.why, signed) })
	}
	for _, k := range []*lmp.Key{one, two} {
		q := request(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}, k)
		b := newChecker(t, at).ask(at, append(q, "padding"...))
		told(t, parse(t, b, q), lmp.StatusServing, lmp.CauseNone)
		if err := k.Verify(b); err != nil || len(b) != 54 {
			t.Errorf("%d bytes that are, by the question's own key, %v", len(b), err)
		}
	}
}

// What is more than a question needs is passed over.
func TestDatagramsWithMore(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	at, q := s.at("127.0.0.1"), check(t, "epg")
	a := newChecker(t, at)
	for name, b := range map[string][]byte{
		"bytes after the frame":   append(slices.Clone(q), "anything"...),
		"a frame after the frame": append(slices.Clone(q), check(t, "")...),
		"64 KiB after the frame":  append(slices.Clone(q), make([]byte, 65507-len(q))...),
		"padding":                 with(q, 0x02, 3, 1, 2, 3, 0x02, 0),
		"an unknown field":        with(q, 0x55, 1, 9),
		"reserved bytes":          changed(changed(q, 4, 0xFF), 31, 0xFF),
		"a signature not wanted":  request(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}, key(t, 1, "a")),
	} {
		t.Run(name, func(t *testing.T) {
			got := a.ask(at, b)
			told(t, parse(t, got, b), lmp.StatusServing, lmp.CauseNone)
			if len(got) != 32 {
				t.Errorf("%d bytes, want 32", len(got))
			}
		})
	}
}

// At every length of its datagram a question's answer is no longer, and tells
// as much as fits.
func TestAnswersAreNoLongerThanTheirRequests(t *testing.T) {
	r, _ := newRegistry(t)
	patient := registry.DefaultPolicy
	patient.StaleAfter = time.Hour // it reports once
	r.Configure(map[string]registry.Policy{"crowd": patient, "epg": patient}, nil)
	crowd(t, r, "crowd")
	k := key(t, 1, "a")
	for name, keys := range map[string]lmp.Keys{"unsigned": nil, "signed": {k}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: keys})
			at := s.at("127.0.0.1")
			a := newChecker(t, at)
			var signed *lmp.Key
			if keys != nil {
				signed = k
			}
			landmarks, most, reason := 0, 0, ""
			ask := func(service string, length int) lmp.Answer {
				q := request(t, lmp.Request{Kind: lmp.KindDescribe, Service: []byte(service)}, signed)
				q = append(q, make([]byte, max(0, length-len(q)))...)
				b := a.ask(at, q)
				if len(b) > min(len(q), 1472) {
					t.Fatalf("%d bytes answer %d", len(b), len(q))
				}
				most = max(most, len(b))
				return parse(t, b, q)
			}
			for length := 0; length <= 1600; length++ {
				answer := ask("crowd", length)
				told(t, answer, lmp.StatusNotServing, lmp.CauseStalled)
				if !answer.Truncated {
					t.Fatalf("all of it fits into %d bytes?", length)
				}
				// The first room that the reason fits into it takes from a landmark,
				// and so it does when time makes it longer ("9 s", "10 s"). Two
				// answers in a row then compare, unless that happens between them.
				less := func() bool {
					longer := reason == "" || len(answer.Reason) > len(reason)
					return !longer && (answer.Reason == "" || len(answer.Landmarks) < landmarks)
				}
				for tries := 0; less(); tries++ {
					if tries == 5 {
						t.Fatalf("less fits into %d bytes than into %d", length, length-1)
					}
					before := ask("crowd", length-1)
					reason, landmarks = before.Reason, len(before.Landmarks)
					answer = ask("crowd", length)
				}
				reason, landmarks = answer.Reason, len(answer.Landmarks)
				if landmarks > 0 && answer.Landmarks[0].State != lmp.StateFailing {
					t.Fatalf("%v comes first", answer.Landmarks[0])
				}
			}
			if most < 1472-70 || landmarks < 20 {
				t.Errorf("there were at most %d bytes and %d landmarks", most, landmarks)
			}
			if answer := ask("crowd", 65507); !answer.Truncated || len(answer.Landmarks) != landmarks {
				t.Errorf("truncated %v, %d landmarks in the longest datagram", answer.Truncated, len(answer.Landmarks))
			}
			if answer := ask("epg", 200); answer.Truncated || len(answer.Landmarks) != 1 {
				t.Errorf("%+v", answer)
			}
		})
	}
}

// The work for one datagram that is answered from memory costs no memory,
// since anybody may send a million of them.
func TestDatagramsCostNoMemory(t *testing.T) {
	r, _ := newRegistry(t)
	k := key(t, 1, "a")
	for name, keys := range map[string]lmp.Keys{"unsigned": nil, "signed": {k}} {
		if keys != nil && raceDetector {
			continue
		}
		s := &Server{config: Config{Source: r, Keys: keys, Checkers: newMemory()}}
		signed := request(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), MaxAge: time.Hour}, k)
		d := datagram{data: signed, from: netip.MustParseAddrPort("[::ffff:10.0.0.1]:4711")}
		bad := datagram{data: changed(signed, 2, 9)}
		out := make([]byte, 0, lmp.MaxDatagram)
		if n := testing.AllocsPerRun(1000, func() {
			if _, _, ok := s.accept(bad); ok {
				t.Fatal("was taken")
			}
			q, k, ok := s.accept(d)
			if !ok {
				t.Fatal("was refused")
			}
			a, settled := s.config.Source.Lookup(q.Service, q.MaxAge)
			if !settled {
				t.Fatal("has to wait")
			}
			s.noteDatagram(d, q, &a)
			answer := translate(q, &a)
			out = lmp.AppendAnswer(out[:0], &answer, datagramLimit(d), k)
		}); n != 0 {
			t.Errorf("%s: %v allocations for one datagram", name, n)
		}
	}
}

func TestSocketCostsNoMemory(t *testing.T) {
	for _, address := range []string{"127.0.0.1", "::1"} {
		server, err := listenDatagrams(net.JoinHostPort(address, "0"), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		client, err := net.DialUDP("udp", nil, server.LocalAddr().(*net.UDPAddr))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		in, b := new(reader), make([]byte, 64)
		if n := testing.AllocsPerRun(1000, func() {
			if _, err := client.Write(b); err != nil {
				t.Fatal(err)
			}
			d, err := server.read(in)
			if err != nil {
				t.Fatal(err)
			}
			if err := server.write(d.data, d.from, d.destination); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations to receive and answer one datagram", address, n)
		}
	}
}
