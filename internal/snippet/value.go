package snippet

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// service is the flag -service: the name that the program reports.
type service string

// String implements flag.Value.
func (s *service) String() string { return string(*s) }

// Set implements flag.Value.
func (s *service) Set(text string) error {
	if err := contract.CheckServiceName(text); err != nil {
		return err
	}
	*s = service(text)
	return nil
}

func (s *service) flag(flags *flag.FlagSet) {
	flags.Var(s, "service", "the service's `NAME`, as landmark status lists it")
}

func (s *service) validate() error {
	if *s == "" {
		return errors.New("which service? Give -service NAME; landmark status lists them")
	}
	return nil
}

// address is a flag for the address of a machine.
type address struct{ netip.Addr }

// String implements flag.Value.
func (a *address) String() string {
	if !a.IsValid() {
		return ""
	}
	return a.Addr.String()
}

// Set implements flag.Value.
func (a *address) Set(text string) error {
	parsed, err := netip.ParseAddr(text)
	if err != nil || parsed.Zone() != "" || parsed.Is4In6() || !unicast(parsed) {
		return errors.New("give the address of a machine, as 192.0.2.1 or 2001:db8::1")
	}
	a.Addr = parsed
	return nil
}

// addresses is a flag for the addresses of machines. It may be repeated.
type addresses []netip.Addr

// String implements flag.Value.
func (a *addresses) String() string { return strings.Trim(fmt.Sprint(*a), "[]") }

// Set implements flag.Value.
func (a *addresses) Set(text string) error {
	var one address
	if err := one.Set(text); err != nil {
		return err
	}
	if slices.Contains(*a, one.Addr) {
		return errors.New("it is given twice")
	}
	*a = append(*a, one.Addr)
	return nil
}

// endpoint is a flag for an address and port.
type endpoint struct{ netip.AddrPort }

// String implements flag.Value.
func (e *endpoint) String() string {
	if !e.IsValid() {
		return ""
	}
	return e.AddrPort.String()
}

// Set implements flag.Value.
func (e *endpoint) Set(text string) error {
	a, err := parseEndpoint(text)
	e.AddrPort = a
	return err
}

// endpoints is a flag for addresses and ports. It may be repeated.
type endpoints []netip.AddrPort

// String implements flag.Value.
func (e *endpoints) String() string {
	texts := make([]string, len(*e))
	for i, a := range *e {
		texts[i] = a.String()
	}
	return strings.Join(texts, " ")
}

// Set implements flag.Value.
func (e *endpoints) Set(text string) error {
	a, err := parseEndpoint(text)
	if err != nil {
		return err
	}
	if !unicast(a.Addr()) {
		return errors.New("it is no machine's own address: another machine, or this one, would answer the checks")
	}
	if slices.Contains(*e, a) {
		return errors.New("it is given twice")
	}
	*e = append(*e, a)
	return nil
}

func parseEndpoint(text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 || a.Addr().Zone() != "" || a.Addr().Is4In6() {
		return netip.AddrPort{}, errors.New("give an address and a port, such as 192.0.2.80:5400 or [2001:db8::80]:5400")
	}
	return a, nil
}

// unicast reports whether an address can be that of a single machine. A request to the
// unspecified address goes to the sender's own machine.
func unicast(a netip.Addr) bool {
	broadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return !a.IsUnspecified() && !a.IsMulticast() && a != broadcast
}

// port is a flag for one of landmarkd's ports.
type port uint16

// String implements flag.Value.
func (p *port) String() string { return strconv.Itoa(int(*p)) }

// Set implements flag.Value.
func (p *port) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return errors.New("give a number from 1 to 65535")
	}
	*p = port(n)
	return nil
}

// maxFile is the length of the longest path, in bytes. keepalived reads lines of up to
// 1,023.
const maxFile = 255

// file is a flag for the absolute path of a file or directory.
type file string

// String implements flag.Value.
func (f *file) String() string { return string(*f) }

// Set implements flag.Value.
func (f *file) Set(text string) error {
	if !path.IsAbs(text) || path.Clean(text) != text || text == "/" {
		return errors.New("give an absolute path, such as /run/landmark-watch")
	}
	if len(text) > maxFile {
		return fmt.Errorf("the path has %d bytes, and may have %d", len(text), maxFile)
	}
	for _, c := range text {
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+", c)
		if !plain {
			return fmt.Errorf("the path has the character %q: letters, digits, '/', '.', '_', '-' and '+' only", c)
		}
	}
	*f = file(text)
	return nil
}

// choice is a flag that takes one of several words.
type choice struct {
	word string
	of   []string
}

// String implements flag.Value.
func (c *choice) String() string { return c.word }

// Set implements flag.Value.
func (c *choice) Set(text string) error {
	if !slices.Contains(c.of, text) {
		return fmt.Errorf("give one of %s", strings.Join(c.of, ", "))
	}
	c.word = text
	return nil
}

// yesNo is a flag that is yes or no, and yes without a value.
type yesNo bool

// String implements flag.Value.
func (y *yesNo) String() string {
	if *y {
		return "yes"
	}
	return "no"
}

// Set implements flag.Value.
func (y *yesNo) Set(text string) error {
	switch text {
	case "yes", "true":
		*y = true
	case "no", "false":
		*y = false
	default:
		return errors.New("give yes or no")
	}
	return nil
}

// IsBoolFlag makes package flag accept the flag without a value, as true.
func (y *yesNo) IsBoolFlag() bool { return true }

// seconds writes a time in seconds, without a unit.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// wholeSeconds returns the time in seconds, rounded up.
func wholeSeconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}

// host writes an address in the form that precedes ":PORT".
func host(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
