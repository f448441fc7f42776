package snippet

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/*.golden from the present output")

// configuration returns the output for the arguments of landmark snippet.
func configuration(line string) (string, error) { return configurationOf(strings.Fields(line)) }

func configurationOf(words []string) (string, error) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == words[0] })
	p := Kinds[i].New()
	flags := flag.NewFlagSet(words[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	p.Flags(flags)
	if err := flags.Parse(words[1:]); err != nil {
		return "", err
	}
	if flags.NArg() > 0 {
		return "", errors.New("not a flag: " + flags.Arg(0))
	}
	return p.Configuration()
}

// TestGolden compares the output with files, whose first line is the command line.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.golden")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			line, want, _ := strings.Cut(string(text), "\n")
			command, ok := strings.CutPrefix(line, "$ landmark snippet ")
			if !ok {
				t.Fatalf("%q is not a command line", line)
			}
			got, err := configuration(command)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := os.WriteFile(file, []byte(line+"\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("output differs (-file +output); go test -update writes the file:\n%s", diff)
			}
		})
	}
}

// everyKind has command lines for each kind, without -service.
var everyKind = []string{
	"keepalived -virtual 192.0.2.80:5400 -real 198.51.100.11:5400",
	"keepalived -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -check misc",
	"keepalived -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -check file",
	"keepalived -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -check tcp -gate 15400",
	"keepalived -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -check bfd -director 198.51.100.1",
	"ldirectord -virtual 192.0.2.80:5400 -real 198.51.100.11:5400",
	"ldirectord -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -check simpletcp",
	"haproxy -virtual 192.0.2.80:5400 -real 198.51.100.11:5400",
	"haproxy -virtual 192.0.2.80:5400 -real 198.51.100.11:5400 -check http",
	"bird -virtual 203.0.113.80 -real 192.0.2.11 -router 192.0.2.1",
	"frr -virtual 203.0.113.80 -real 192.0.2.11 -router 192.0.2.1",
	"envoy -virtual 192.0.2.80:5400 -real 198.51.100.11:5400",
	"kubernetes",
	"prometheus -part blackbox",
	"prometheus -part scrape -real 198.51.100.11:5400",
	"prometheus -part rules",
}

func TestEveryKindIsTested(t *testing.T) {
	for _, k := range Kinds {
		if !slices.ContainsFunc(everyKind, func(line string) bool { return strings.Fields(line)[0] == k.Name }) {
			t.Errorf("%s is not in everyKind", k.Name)
		}
	}
}

// Names that no service can have are rejected, and names of aspects, which a balancer must
// not check.
func TestBadNamesAreRejected(t *testing.T) {
	for _, line := range everyKind {
		for _, name := range []string{"", `a"b`, "a}b", "a{b", "a\nb", "a b", "a#b", "a'b", `a\b`, "a$b", "é", strings.Repeat("x", 91), "epg-liveness", "epg-readiness", "startup"} {
			if text, err := configurationOf(append(strings.Fields(line), "-service", name)); err == nil {
				t.Errorf("%s -service %q is accepted:\n%s", line, name, text)
			}
		}
		longest := strings.Repeat("x", 90)
		if text, err := configurationOf(append(strings.Fields(line), "-service", longest)); err != nil || !strings.Contains(text, longest) {
			t.Errorf("%s -service %s: %v\n%s", line, longest, err, text)
		}
	}
}

// No line is longer than keepalived reads, however many servers there are and however long
// the names. It reads the rest of a longer line, even of a comment, as configuration.
func TestLinesAreShortEnoughForKeepalived(t *testing.T) {
	const keepalivedReads = 1023 // bytes
	path := "/" + strings.Repeat("d", maxFile-len("/"))
	for _, line := range everyKind {
		words := append(strings.Fields(line), "-service", strings.Repeat("x", 90))
		if strings.HasPrefix(line, "keepalived") {
			words = append(words, "-dir", path, "-check-path", path)
		}
		for i := range 250 {
			switch {
			case strings.Contains(line, "-router"):
				words = append(words, "-real", fmt.Sprintf("10.0.0.%d", i+1))
			case strings.Contains(line, "-real"):
				words = append(words, "-real", fmt.Sprintf("10.0.0.%d:5400", i+1), "-real", fmt.Sprintf("10.0.0.%d:5401", i+1))
			}
		}
		text, err := configurationOf(words)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for l := range strings.Lines(text) {
			if len(l) > keepalivedReads {
				t.Errorf("%s: line of %d bytes: %.80s…", line, len(l), l)
			}
		}
	}
}

func TestWrongFlagsAreNamed(t *testing.T) {
	const (
		ends    = " -service epg -virtual 192.0.2.80:5400 -real 198.51.100.11:5400"
		virtual = " -service epg -virtual 203.0.113.80"
	)
	for line, says := range map[string]string{
		"keepalived":                                           "which service? Give -service NAME",
		"keepalived -service epg-liveness":                     "means the liveness of a service",
		"keepalived -service epg":                              "where do clients connect to? Give -virtual IP:PORT",
		"envoy -service epg -virtual 192.0.2.80:5400":          "which real servers? Give -real IP:PORT for each",
		"haproxy -real rs1:5400":                               "give an address and a port",
		"haproxy -real 198.51.100.11":                          "give an address and a port",
		"haproxy -real 198.51.100.11:0":                        "give an address and a port",
		"haproxy -real [fe80::1%eth0]:5400":                    "give an address and a port",
		"haproxy -real [::ffff:192.0.2.1]:5400":                "give an address and a port",
		"haproxy -real 0.0.0.0:5400":                           "no machine's own address",
		"haproxy -real 224.0.0.1:5400":                         "no machine's own address",
		"haproxy -real 255.255.255.255:5400":                   "no machine's own address",
		"haproxy -real [::]:5400":                              "no machine's own address",
		"envoy -real 192.0.2.1:1 -real 192.0.2.1:1":            "it is given twice",
		"keepalived -check agent":                              "give one of udp, misc, file, tcp, bfd",
		"keepalived -forward masq":                             "give one of NAT, DR, TUN",
		"keepalived -scheduler fastest":                        "give one of rr, wrr",
		"keepalived -monitor 0":                                "give a number from 1 to 65535",
		"keepalived -dir run":                                  "give an absolute path",
		"keepalived -dir /":                                    "give an absolute path",
		"keepalived -dir /run/../x":                            "give an absolute path",
		"keepalived -dir /" + strings.Repeat("d", maxFile):     "the path has 256 bytes, and may have 255",
		`keepalived -check-path /a"b`:                          `has the character '"'`,
		"keepalived -agent":                                    "not defined: -agent",
		"keepalived -weight 2" + ends:                          "-weight 2 needs -check misc or file",
		"keepalived -check tcp" + ends:                         "-check tcp needs -gate PORT",
		"keepalived -check tcp -gate 1 -weight 2" + ends:       "-weight 2 needs -check misc or file: a TCP_CHECK has no weights",
		"keepalived -gate 0" + ends:                            "give a number from 1 to 65535",
		"keepalived -weight 0" + ends:                          "-weight 0 is not between 1 and 253",
		"keepalived -persistence -1" + ends:                    "-persistence -1 is not between",
		"keepalived -interval 1ms" + ends:                      "-interval 1ms is not between 10ms and 1h",
		"keepalived -patience 0s" + ends:                       "-patience 0s is not between 100ms and 1h",
		"keepalived -real [2001:db8::1]:5400" + ends:           "are not both IPv4 or both IPv6",
		"keepalived -forward DR -real 192.0.2.1:1" + ends:      "another port than -virtual 192.0.2.80:5400",
		"ldirectord -forward gate -real 192.0.2.1:1" + ends:    "another port than -virtual 192.0.2.80:5400",
		"ldirectord -interval 1500ms" + ends:                   "ldirectord counts in them",
		"ldirectord -check-path /usr/bin/check" + ends:         "does not end in landmark-check",
		"ldirectord -quiescent=maybe":                          "give yes or no",
		"envoy -weight 2":                                      "not defined: -weight",
		"kubernetes -service epg -interval 100ms":              "kubelet counts in them",
		"kubernetes -service epg -interval 31s":                "more than 30s",
		"kubernetes -virtual 192.0.2.80:5400":                  "not defined: -virtual",
		"prometheus -service epg":                              "which file? Give -part blackbox, scrape and rules",
		"prometheus -service epg -part scrape":                 "which real servers?",
		"keepalived -weight 2 -check bfd" + ends:               "a BFD_CHECK has no weights",
		"keepalived -check bfd" + ends:                         "Give -director ADDRESS",
		"keepalived -director rs1" + ends:                      "give the address of a machine",
		"keepalived -director 0.0.0.0" + ends:                  "give the address of a machine",
		"keepalived -check bfd -director ::1" + ends:           "are not two addresses of one kind",
		"keepalived -check bfd -director 198.51.100.11" + ends: "are not two addresses of one kind",

		"bird":                                                                    "which service? Give -service NAME",
		"bird -service epg":                                                       "where do clients connect to? Give -virtual ADDRESS",
		"bird -virtual 203.0.113.80:5400":                                         "give the address of a machine",
		"bird -virtual 203.0.113.0/24":                                            "give the address of a machine",
		"frr -real 192.0.2.11:5400":                                               "give the address of a machine",
		"frr -real 192.0.2.11 -real 192.0.2.11":                                   "it is given twice",
		"frr -real fe80::1%eth0":                                                  "give the address of a machine",
		"frr" + virtual:                                                           "which real servers? Give -real ADDRESS for each",
		"frr -real 192.0.2.11" + virtual:                                          "Give -router ADDRESS",
		"frr -real 203.0.113.80 -router 192.0.2.1" + virtual:                      "-virtual 203.0.113.80 is a real server's own address",
		"bird -real 192.0.2.11 -router 203.0.113.80" + virtual:                    "-virtual 203.0.113.80 is the router's own address",
		"bird -real 2001:db8::2 -router 2001:db8::1" + virtual:                    "are not both IPv4 or both IPv6",
		"bird -real 192.0.2.11 -real 192.0.2.1 -router 192.0.2.1" + virtual:       "-router 192.0.2.1 and -real 192.0.2.1 are not two addresses of one kind",
		"frr -real 192.0.2.11 -real 2001:db8::2 -router 192.0.2.1" + virtual:      "-router 192.0.2.1 and -real 2001:db8::2 are not two addresses of one kind",
		"bird -service epg -virtual 2001:db8:1::80 -real fe80::2 -router fe80::1": "fe80::1 is an address of the link only",
		"bird -patience 3s":                                                       "not defined: -patience",

		"keepalived -check bfd -director 192.0.2.1 -patience 256s" + ends:          "give at most 4m15s",
		"keepalived -service epg -virtual 0.0.0.0:5400 -real 192.0.2.1:5400":       "-virtual 0.0.0.0:5400 is not an address of its own",
		"ldirectord -service epg -virtual [ff02::1]:5400 -real [2001:db8::1]:5400": "-virtual [ff02::1]:5400 is not an address of its own",
	} {
		if text, err := configuration(line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want %q\n%s", line, err, says, text)
		}
	}
}

func TestServersOfOneAddressAreWarnedOf(t *testing.T) {
	for _, tt := range []struct {
		reals string
		want  []string // the two servers that each warning names
	}{
		{"192.0.2.1:1 192.0.2.2:1", nil},
		{"192.0.2.1:1 192.0.2.2:1 192.0.2.1:2", []string{"-real 192.0.2.1:1 and -real 192.0.2.1:2"}},
		{"192.0.2.1:1 192.0.2.1:2 192.0.2.1:3", []string{"-real 192.0.2.1:1 and -real 192.0.2.1:2"}},
		{"[2001:db8::1]:1 192.0.2.1:1 [2001:db8::1]:2 192.0.2.1:2", []string{"-real [2001:db8::1]:1 and -real [2001:db8::1]:2", "-real 192.0.2.1:1 and -real 192.0.2.1:2"}},
	} {
		var e endpoints
		for _, text := range strings.Fields(tt.reals) {
			if err := e.Set(text); err != nil {
				t.Fatal(err)
			}
		}
		got := e.warnings("epg")
		ok := len(got) == len(tt.want)
		for i := range got {
			ok = ok && strings.HasPrefix(got[i], tt.want[i]+" get the same check")
		}
		if !ok {
			t.Errorf("%s: %q, want %q", tt.reals, got, tt.want)
		}
	}
}
