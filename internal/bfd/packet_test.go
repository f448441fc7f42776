package bfd

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// unhex returns the bytes of hexadecimal digits with spaces between.
func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors are packets and their bytes.
var vectors = []struct {
	name   string
	packet Packet
	bytes  string
}{
	{
		"the first packet",
		Packet{State: Down, Multiplier: 3, MyDiscriminator: 1, DesiredMinTX: time.Second, RequiredMinRX: 100 * ms},
		"20 40 03 18  00000001  00000000  000f4240  000186a0  00000000",
	},
	{
		"Init",
		Packet{State: Init, Multiplier: 5, MyDiscriminator: 0xcafe0001, YourDiscriminator: 7, DesiredMinTX: time.Second, RequiredMinRX: time.Second, RequiredMinEchoRX: 50 * ms},
		"20 80 05 18  cafe0001  00000007  000f4240  000f4240  0000c350",
	},
	{
		"Up with a poll",
		Packet{State: Up, Poll: true, Multiplier: 3, MyDiscriminator: 0x01020304, YourDiscriminator: 0xfffefdfc, DesiredMinTX: 100 * ms, RequiredMinRX: 100 * ms},
		"20 e0 03 18  01020304  fffefdfc  000186a0  000186a0  00000000",
	},
	{
		"Up with a final, independent control plane and demand",
		Packet{State: Up, Final: true, Independent: true, Demand: true, Multiplier: 255, MyDiscriminator: 1, YourDiscriminator: 2, DesiredMinTX: 0xffffffff * time.Microsecond, RequiredMinRX: 0},
		"20 da ff 18  00000001  00000002  ffffffff  00000000  00000000",
	},
	{
		"path down",
		Packet{Diagnostic: PathDown, State: Down, Multiplier: 3, MyDiscriminator: 1, YourDiscriminator: 2, DesiredMinTX: time.Second, RequiredMinRX: time.Second},
		"25 40 03 18  00000001  00000002  000f4240  000f4240  00000000",
	},
	{
		"AdminDown with the highest diagnostic",
		Packet{Diagnostic: 31, State: AdminDown, Multiplier: 1, MyDiscriminator: 1, DesiredMinTX: time.Second, RequiredMinRX: time.Second},
		"3f 00 01 18  00000001  00000000  000f4240  000f4240  00000000",
	},
	{
		"authenticated",
		Packet{
			State: Down, Multiplier: 3, MyDiscriminator: 1, DesiredMinTX: time.Second, RequiredMinRX: time.Second, Authenticated: true,
			Authentication: Authentication{Key: 9, Reserved: 1, Sequence: 0x0a0b0c0d, Digest: [20]byte{0: 0xd0, 19: 0xd1}},
		},
		"20 44 03 34  00000001  00000000  000f4240  000f4240  00000000  04 1c 09 01  0a0b0c0d  d0000000 00000000 00000000 00000000 000000d1",
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		want := unhex(t, v.bytes)
		if got := v.packet.Append(nil); string(got) != string(want) {
			t.Errorf("%s: appended\n%x, want\n%x", v.name, got, want)
		}
		if got, err := Parse(want); err != nil || got != v.packet {
			t.Errorf("%s: parsed %+v, %v; want %+v", v.name, got, err, v.packet)
		}
		if got, err := Parse(append(want, 0xee)); err != nil || got != v.packet {
			t.Errorf("%s with a byte after it: parsed %+v, %v", v.name, got, err)
		}
		for n := range want {
			if _, err := Parse(want[:n]); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s, its first %d bytes: the error is %v", v.name, n, err)
			}
		}
	}
}

// Each packet breaks one rule of section 6.8.6.
func TestParseRejects(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes string
		want  error
	}{
		{"version 0", "00 40 03 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"version 2", "40 40 03 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"a length below the header's", "20 40 03 17  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"a length beyond the datagram", "20 40 03 19  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"multiplier 0", "20 40 00 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"multipoint", "20 41 03 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"my discriminator 0", "20 40 03 18  00000000 00000001 000f4240 000186a0 00000000", ErrMalformed},
		{"Init without your discriminator", "20 80 03 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"Up without your discriminator", "20 c0 03 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"authenticated without a section", "20 44 03 18  00000001 00000000 000f4240 000186a0 00000000", ErrMalformed},
		{"a section of one byte", "20 44 03 19  00000001 00000000 000f4240 000186a0 00000000 04", ErrMalformed},
		{"a section beyond the packet", "20 44 03 1a  00000001 00000000 000f4240 000186a0 00000000 04 1c", ErrMalformed},
		{"a section shorter than its own header", "20 44 03 1a  00000001 00000000 000f4240 000186a0 00000000 04 01", ErrMalformed},
		{"a short section of keyed SHA1", "20 44 03 1a  00000001 00000000 000f4240 000186a0 00000000 04 02", ErrMalformed},
		{"a password", "20 44 03 1c  00000001 00000000 000f4240 000186a0 00000000 01 04 01 41", ErrAuthentication},
	} {
		if p, err := Parse(unhex(t, test.bytes)); err != test.want {
			t.Errorf("%s: parsed %+v, %v; want %v", test.name, p, err, test.want)
		}
	}
}
