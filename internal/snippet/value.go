package snippet

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// service is the flag -service: the name of a service, as its program reports
// it.
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

// endpoints is a flag for addresses and ports that is given once for each.
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
	if !ofOneMachine(a.Addr()) {
		return errors.New("it is no machine's own address: who asks there would be answered by another machine, or by this one")
	}
	if slices.Contains(*e, a) {
		return errors.New("it is there already")
	}
	*e = append(*e, a)
	return nil
}

func parseEndpoint(text string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Port() == 0 || a.Addr().Zone() != "" || a.Addr().Is4In6() {
		return netip.AddrPort{}, errors.New("give an address and a port, as 192.0.2.80:5400 or [2001:db8::80]:5400")
	}
	return a, nil
}

// ofOneMachine reports whether an address can be that of one machine. That which is
// not specified is everybody's: a question to it goes to who asks.
func ofOneMachine(a netip.Addr) bool {
	broadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	return !a.IsUnspecified() && !a.IsMulticast() && a != broadcast
}

// port is a flag for where landmarkd listens.
type port uint16

// String implements flag.Value.
func (p *port) String() string { return strconv.Itoa(int(*p)) }

// Set implements flag.Value.
func (p *port) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return errors.New("give a number of 1 to 65535")
	}
	*p = port(n)
	return nil
}

// maxFile is how long a path may be, in bytes. keepalived reads lines of a thousand.
const maxFile = 255

// file is a flag for the whole path of a file or directory.
type file string

// String implements flag.Value.
func (f *file) String() string { return string(*f) }

// Set implements flag.Value.
func (f *file) Set(text string) error {
	if !path.IsAbs(text) || path.Clean(text) != text || text == "/" {
		return errors.New("give a whole path, as /run/landmark-watch")
	}
	if len(text) > maxFile {
		return fmt.Errorf("a path of %d bytes, and %d are the most", len(text), maxFile)
	}
	for _, c := range text {
		plain := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("/._-+", c)
		if !plain {
			return fmt.Errorf("has the character %q: letters, digits, '/', '.', '_', '-' and '+' only", c)
		}
	}
	*f = file(text)
	return nil
}

// choice is a flag that takes one of some words.
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

// yesNo is a flag that is yes or no, and yes if nothing follows it.
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

// IsBoolFlag has package flag set it to true if nothing follows it.
func (y *yesNo) IsBoolFlag() bool { return true }

// seconds writes a time as most programs read it, without a unit.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// wholeSeconds returns the time in seconds, rounded up.
func wholeSeconds(d time.Duration) int {
	return int((d + time.Second - 1) / time.Second)
}

// host writes an address as it stands before ":PORT".
func host(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
