package lmp

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/lmp"
)

func TestUDPCheckIsAnswered(t *testing.T) {
	r, p := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	c := newUDPClient(t, s.addr("127.0.0.1"))
	for _, service := range []string{"epg", "", "epg-liveness", "startup"} {
		q := check(t, service)
		got := c.request(s.addr("127.0.0.1"), q)
		if len(got) != 32 || !bytes.HasPrefix(got, []byte{0x4C, 0x4D, 0x01, 0x81, 0x01}) {
			t.Errorf("%q: % X", service, got)
		}
		wantAnswer(t, parseAnswer(t, got, q), lmp.StatusServing, lmp.CauseNone)
	}
	p.Report(hung())
	q := check(t, "epg")
	answer := parseAnswer(t, c.request(s.addr("127.0.0.1"), q), q)
	wantAnswer(t, answer, lmp.StatusNotServing, lmp.CauseStalled)
	if answer.Weight != 0 || answer.Failing != 1 || answer.Age < longAgo || answer.Changes == 0 {
		t.Errorf("%+v", answer)
	}
}

// keepalivedPayload is the payload of docs/lmp.md for keepalived's UDP_CHECK.
const keepalivedPayload = "4C4D0101000000250000000000000000000000000000000000000000000000000103657067"

func TestKeepalivedPayloadIsAnswered(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	payload, err := hex.DecodeString(keepalivedPayload)
	if err != nil {
		t.Fatal(err)
	}
	c := newUDPClient(t, s.addr("127.0.0.1"))
	for range 3 {
		if got := c.request(s.addr("127.0.0.1"), payload); len(got) != 32 || !bytes.HasPrefix(got, []byte{0x4C, 0x4D, 0x01, 0x81, 0x01}) {
			t.Errorf("% X", got)
		}
	}
}

// changed returns a copy of the frame with the byte at i changed.
func changed(frame []byte, i int, b byte) []byte {
	frame = slices.Clone(frame)
	frame[i] = b
	return frame
}

// with returns the frame with more bytes appended, which its length includes.
func with(frame []byte, fields ...byte) []byte {
	frame = append(slices.Clone(frame), fields...)
	frame[6], frame[7] = byte(len(frame)>>8), byte(len(frame))
	return frame
}

// malformedRequests returns a request for each rule of docs/lmp.md, which breaks it.
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

func TestMalformedDatagramGetsNoAnswer(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	addr, good := s.addr("127.0.0.1"), check(t, "epg")
	bad := map[string][]byte{
		"empty":                      {},
		"one byte":                   good[:1],
		"31 bytes":                   check(t, "")[:31],
		"shorter than its length":    good[:len(good)-1],
		"64 KiB of zeros":            make([]byte, 65507),
		"length over the datagram's": changed(good, 6, 1),
	}
	for name, b := range malformedRequests(t) {
		bad[name] = b
	}
	for name, b := range bad {
		t.Run(name, func(t *testing.T) { s.wantNoAnswer(t, addr, addr, b, malformed, good) })
	}
	t.Run("WATCH", func(t *testing.T) {
		s.wantNoAnswer(t, addr, addr, watchRequest(t, "", 0), watchOverUDP, good)
	})
}

func TestSignaturesOverUDP(t *testing.T) {
	r, _ := newRegistry(t)
	one, two := newKey(t, 1, "a"), newKey(t, 2, "b")
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: lmp.Keys{one, two}})
	addr := s.addr("127.0.0.1")
	q := lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), Nonce: 7}
	signed := newRequest(t, q, one)
	for name, tt := range map[string]struct {
		b      []byte
		reason rejection
	}{
		"unsigned":           {newRequest(t, q, nil), unauthenticated},
		"unknown key number": {newRequest(t, q, newKey(t, 3, "a")), unauthenticated},
		"another secret":     {newRequest(t, q, newKey(t, 1, "b")), unauthenticated},
		"changed service":    {changed(signed, 34, 'X'), unauthenticated},
		"changed nonce":      {changed(signed, 15, 8), unauthenticated},
		"changed code":       {changed(signed, len(signed)-1, signed[len(signed)-1]^1), unauthenticated},
		"unsigned WATCH":     {newRequest(t, lmp.Request{Kind: lmp.KindWatch}, nil), unauthenticated},
		"signed WATCH":       {newRequest(t, lmp.Request{Kind: lmp.KindWatch}, one), watchOverUDP},
		"signed, malformed":  {changed(signed, 3, 9), malformed},
	} {
		t.Run(name, func(t *testing.T) { s.wantNoAnswer(t, addr, addr, tt.b, tt.reason, signed) })
	}
	for _, k := range []*lmp.Key{one, two} {
		q := newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}, k)
		b := newUDPClient(t, addr).request(addr, append(q, "padding"...))
		wantAnswer(t, parseAnswer(t, b, q), lmp.StatusServing, lmp.CauseNone)
		if err := k.Verify(b); err != nil || len(b) != 54 {
			t.Errorf("an answer of %d bytes; with the key of the request: %v", len(b), err)
		}
	}
}

func TestUnusedBytesAreIgnored(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	addr, q := s.addr("127.0.0.1"), check(t, "epg")
	c := newUDPClient(t, addr)
	for name, b := range map[string][]byte{
		"bytes after the frame":            append(slices.Clone(q), "anything"...),
		"a frame after the frame":          append(slices.Clone(q), check(t, "")...),
		"64 KiB after the frame":           append(slices.Clone(q), make([]byte, 65507-len(q))...),
		"padding":                          with(q, 0x02, 3, 1, 2, 3, 0x02, 0),
		"an unknown field":                 with(q, 0x55, 1, 9),
		"reserved bytes":                   changed(changed(q, 4, 0xFF), 31, 0xFF),
		"a signature that is not required": newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg")}, newKey(t, 1, "a")),
	} {
		t.Run(name, func(t *testing.T) {
			got := c.request(addr, b)
			wantAnswer(t, parseAnswer(t, got, b), lmp.StatusServing, lmp.CauseNone)
			if len(got) != 32 {
				t.Errorf("%d bytes, want 32", len(got))
			}
		})
	}
}

// For every length of the request, the answer is no longer and holds as much as
// fits.
func TestAnswerIsNoLongerThanRequest(t *testing.T) {
	r, _ := newRegistry(t)
	neverStale := registry.DefaultPolicy
	neverStale.StaleAfter = time.Hour // the processes report only once
	r.Configure(map[string]registry.Policy{"large": neverStale, "epg": neverStale}, nil)
	newLargeProcess(t, r, "large")
	k := newKey(t, 1, "a")
	for name, keys := range map[string]lmp.Keys{"unsigned": nil, "signed": {k}} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Config{Address: "127.0.0.1:0", Source: r, Keys: keys})
			addr := s.addr("127.0.0.1")
			c := newUDPClient(t, addr)
			var signed *lmp.Key
			if keys != nil {
				signed = k
			}
			landmarks, most, reason := 0, 0, ""
			request := func(service string, length int) lmp.Answer {
				q := newRequest(t, lmp.Request{Kind: lmp.KindDescribe, Service: []byte(service)}, signed)
				q = append(q, make([]byte, max(0, length-len(q)))...)
				b := c.request(addr, q)
				if len(b) > min(len(q), 1472) {
					t.Fatalf("the answer has %d bytes, the request %d", len(b), len(q))
				}
				most = max(most, len(b))
				return parseAnswer(t, b, q)
			}
			for length := 0; length <= 1600; length++ {
				answer := request("large", length)
				wantAnswer(t, answer, lmp.StatusNotServing, lmp.CauseStalled)
				if !answer.Truncated {
					t.Fatalf("the answer is not truncated to %d bytes", length)
				}
				// The reason displaces a landmark when it first fits, and again
				// when time makes it longer ("9 s", "10 s"). In both cases compare
				// two new answers, unless the time passes between them.
				less := func() bool {
					longer := reason == "" || len(answer.Reason) > len(reason)
					return !longer && (answer.Reason == "" || len(answer.Landmarks) < landmarks)
				}
				for tries := 0; less(); tries++ {
					if tries == 5 {
						t.Fatalf("an answer of %d bytes holds less than one of %d", length, length-1)
					}
					before := request("large", length-1)
					reason, landmarks = before.Reason, len(before.Landmarks)
					answer = request("large", length)
				}
				reason, landmarks = answer.Reason, len(answer.Landmarks)
				if landmarks > 0 && answer.Landmarks[0].State != lmp.StateFailing {
					t.Fatalf("the first landmark is %v, want a failing one", answer.Landmarks[0])
				}
			}
			if most < 1472-70 || landmarks < 20 {
				t.Errorf("the longest answer has %d bytes and %d landmarks, want about 1472 and at least 20", most, landmarks)
			}
			if answer := request("large", 65507); !answer.Truncated || len(answer.Landmarks) != landmarks {
				t.Errorf("the answer to the longest datagram: truncated %v, %d landmarks", answer.Truncated, len(answer.Landmarks))
			}
			if answer := request("epg", 200); answer.Truncated || len(answer.Landmarks) != 1 {
				t.Errorf("%+v", answer)
			}
		})
	}
}

func TestUDPCheckAllocatesNothing(t *testing.T) {
	r, _ := newRegistry(t)
	k := newKey(t, 1, "a")
	for name, keys := range map[string]lmp.Keys{"unsigned": nil, "signed": {k}} {
		if keys != nil && raceDetector {
			continue
		}
		s := &Server{config: Config{Source: r, Keys: keys, Checkers: frontendtest.NewTracker()}, rejections: newRejections()}
		signed := newRequest(t, lmp.Request{Kind: lmp.KindCheck, Service: []byte("epg"), MaxAge: time.Hour}, k)
		d := datagram{data: signed, from: netip.MustParseAddrPort("[::ffff:10.0.0.1]:4711")}
		bad := datagram{data: changed(signed, 2, 9)}
		out := make([]byte, 0, lmp.MaxDatagram)
		if n := testing.AllocsPerRun(1000, func() {
			if _, _, ok := s.parseDatagram(bad); ok {
				t.Fatal("the malformed request was accepted")
			}
			q, k, ok := s.parseDatagram(d)
			if !ok {
				t.Fatal("the request was rejected")
			}
			a, final := s.config.Source.Lookup(q.Service, q.MaxAge)
			if !final {
				t.Fatal("the answer is not final")
			}
			out = appendDatagramAnswer(out[:0], d, q, &a, k)
			rec := recordOf(d, q, &a)
			s.record(&rec)
		}); n != 0 {
			t.Errorf("%s: %v allocations per datagram", name, n)
		}
	}
}

// Requests that arrive together, good and bad ones, over both families, are answered
// each, and each rejection is counted. The one that waits keeps no other from its answer.
func TestRequestsTogether(t *testing.T) {
	r, p := newRegistry(t)
	p.Report(fact(longAgo))
	s := serve(t, Config{Address: ":0", Source: r})
	to := []netip.AddrPort{s.addr("127.0.0.1"), s.addr("::1")}
	clients := []*udpClient{newUDPClient(t, to[0]), newUDPClient(t, to[1])}
	const rounds = 20
	var good [2][][]byte
	clients[0].send(to[0], freshRequest(t, lmp.KindCheck))
	for i := range rounds {
		c := i % 2
		for _, b := range [][]byte{check(t, "epg"), {}, describe(t, "epg"), make([]byte, 2000), watchRequest(t, "epg", 0), check(t, "nobody")} {
			clients[c].send(to[c], b)
			if len(b) > 0 && b[0] == 'L' && lmp.Kind(b[3]) != lmp.KindWatch {
				good[c] = append(good[c], b)
			}
		}
	}
	for c, requests := range good {
		for _, q := range requests {
			b, from := clients[c].receive()
			parseAnswer(t, b, q)
			if from != to[c] {
				t.Errorf("an answer came from %v, want %v", from, to[c])
			}
		}
	}
	p.AnswerCommand(receive(t, p.Commands), fact(0))
	clients[0].receive()
	s.stop() // after which all are counted
	var want [rejectionKinds]uint64
	want[malformed], want[watchOverUDP] = 2*rounds, rounds
	if got := s.counts(); got != want {
		t.Errorf("counted %v, want %v", got, want)
	}
	if udp, _ := s.Answers(); udp.Count() != 3*rounds+1 || udp.Waited().Count != 1 {
		t.Errorf("counted %d answers, %d of which waited, want %d and 1", udp.Count(), udp.Waited().Count, 3*rounds+1)
	}
}

// However requests arrive, the loop never waits while there is one.
func TestNoRequestIsForgotten(t *testing.T) {
	r, _ := newRegistry(t)
	s := serve(t, Config{Address: "127.0.0.1:0", Source: r})
	c := newUDPClient(t, s.addr("127.0.0.1"))
	for i := range 3000 {
		n := 1 + i%(batchSize+2)
		for range n {
			c.send(s.addr("127.0.0.1"), check(t, "epg"))
		}
		for range n {
			c.receive()
		}
	}
}

// More requests than a batch holds wait when the loop begins, and none comes after them.
func TestEarlyRequestsAreAnswered(t *testing.T) {
	r, _ := newRegistry(t)
	for _, n := range []int{1, batchSize, batchSize + 1, 2 * batchSize, 2*batchSize + 3} {
		early, err := New(complete(Config{Address: "127.0.0.1:0", Source: r}))
		if err != nil {
			t.Fatal(err)
		}
		to := early.Addr().(*net.TCPAddr).AddrPort()
		c := newUDPClient(t, to)
		for range n {
			c.send(to, check(t, "epg"))
		}
		run(t, early)
		for range n {
			c.receive()
		}
	}
}

// A connected socket receives ICMP errors: here, that the client's port is closed.
func TestErrorOfOneDatagramEndsNothing(t *testing.T) {
	r, _ := newRegistry(t)
	client, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := client.LocalAddr().(*net.UDPAddr)
	conn, err := net.DialUDP("udp", nil, at)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	udp, err := newUDPSocket(conn)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(complete(Config{Source: r}))
	s.udp = udp
	if err := s.acceptFrom(tcp.(*net.TCPListener)); err != nil {
		t.Fatal(err)
	}
	run(t, s)
	for range 3 {
		client.Close()
		if _, err := udp.file.Write([]byte("to a closed port")); err != nil {
			t.Log(err) // the error of the datagram before
		}
		if client, err = net.ListenUDP("udp", at); err != nil {
			t.Skip("another process took the port:", err)
		}
		client.SetReadDeadline(time.Now().Add(testTimeout))
		q, in := check(t, "epg"), make([]byte, 64)
		if _, err := client.WriteTo(q, udp.addr); err != nil {
			t.Fatal(err)
		}
		n, err := client.Read(in)
		if err != nil {
			t.Fatal(err)
		}
		parseAnswer(t, in[:n], q)
	}
	client.Close()
}
