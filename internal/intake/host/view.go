package host

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// view is the host during one reading. Each part is read once, when it is first
// needed.
type view struct {
	route, diag *netlink
	now         func() time.Duration
	readAt      time.Duration // when the reading began

	addresses cached[[]address]
	links     cached[[]link]
	arp       cached[arp]
	listeners map[uint16]*cached[[]listener]
	udp       map[uint16]*cached[[]listener] // UDP sockets by port

	queues  map[netip.AddrPort]*queue              // kept from reading to reading
	counted map[netip.AddrPort]*cached[[]listener] // the sockets of the queues that were counted

	receiveQueues map[netip.AddrPort]*receiveQueue // kept from reading to reading
	received      map[netip.AddrPort]*cached[[]listener]
}

// cached is a part of a view.
type cached[T any] struct {
	read  bool
	value T
	err   error
}

func (c *cached[T]) get(read func() (T, error)) (T, error) {
	if !c.read {
		c.value, c.err = read()
		c.read = true
	}
	return c.value, c.err
}

// cacheOf returns the part with the key.
func cacheOf[K comparable, T any](parts map[K]*cached[T], key K) *cached[T] {
	if parts[key] == nil {
		parts[key] = new(cached[T])
	}
	return parts[key]
}

// check returns the fact of one landmark. The error says what could not be read, and
// what to do.
func (v *view) check(l *registry.HostLandmark) (registry.Fact, error) {
	check := v.checkListening
	switch {
	case l.Kind == judge.KindDeadline && l.UDP:
		return v.checkReceiveQueue(l)
	case l.Kind == judge.KindDeadline:
		return v.checkQueue(l)
	case l.Address.IsValid():
		check = v.checkAddress
	case l.UDP:
		check = v.checkBound
	}
	why, err := check(l)
	return registry.Fact{Reached: true, Met: why == "", Reason: why}, err
}

// remedy adds to an error of the kernel what was read and what to do.
func remedy(what string, err error) error {
	var file *fs.PathError
	do := "check which interfaces of the kernel landmarkd may use"
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		do = "allow landmarkd more descriptors (LimitNOFILE= of its unit, ulimit -n)"
	case errors.As(err, &file):
		do = "mount /proc where landmarkd runs, and allow it to read there"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.EAFNOSUPPORT):
		do = "allow landmarkd netlink sockets (AF_NETLINK in RestrictAddressFamilies= of its unit, or its seccomp profile)"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		do = "load the kernel's module tcp_diag (modprobe tcp_diag), or udp_diag for UDP"
	}
	return fmt.Errorf("reading %s: %w: %s", what, err, do)
}

func (v *view) checkAddress(l *registry.HostLandmark) (why string, err error) {
	all, err := v.addresses.get(func() ([]address, error) { return addresses(v.route) })
	if err != nil {
		return "", remedy("the addresses of this host", err)
	}
	interfaces, err := v.links.get(func() ([]link, error) { return links(v.route) })
	if err != nil {
		return "", remedy("the interfaces of this host", err)
	}
	if why := addressProblem(l.Address, all, interfaces); why != "" || !l.DirectRouting {
		return why, nil
	}
	forAll, err := v.arp.get(readARPAll)
	if err != nil && l.Address.Is4() {
		return "", remedy("the ARP settings of this host", err)
	}
	return arpLeak(l.Address, all, interfaces, forAll), nil
}

func (v *view) checkListening(l *registry.HostLandmark) (why string, err error) {
	at := l.Port
	all, err := v.listenersOn(at.Port())
	if err != nil || len(matching(all, at.Addr())) > 0 {
		return "", err
	}
	return v.notListening("nothing listens on "+endpoint("TCP", at), all, at), nil
}

// notListening returns the reason why, that no program is at the address, and adds an
// address or a device at which one is instead.
func (v *view) notListening(why string, all []listener, at netip.AddrPort) string {
	for i := range all {
		if l := &all[i]; l.device != 0 && (!at.Addr().IsValid() || l.takes(at.Addr())) {
			return fmt.Sprintf("%s, only a socket bound to device %s (SO_BINDTODEVICE): bind it to none", why, v.device(l.device))
		}
	}
	if len(all) > 0 {
		why += fmt.Sprintf(", only at %s", all[0].at)
	}
	return why
}

// device returns the name of the interface with the index.
func (v *view) device(index int) string {
	interfaces, err := v.links.get(func() ([]link, error) { return links(v.route) })
	if err == nil {
		for i := range interfaces {
			if interfaces[i].index == index {
				return interfaces[i].name
			}
		}
	}
	return fmt.Sprint("number ", index)
}

func (v *view) checkQueue(l *registry.HostLandmark) (registry.Fact, error) {
	sockets, err := v.countQueue(l.Port)
	if err != nil {
		return registry.Fact{}, err
	}
	if len(sockets) == 0 {
		all, _ := v.listenersOn(l.Port.Port())
		why := v.notListening("nothing listens on "+endpoint("TCP", l.Port), all, l.Port)
		return registry.Fact{Reached: true, Unreadable: true, Reason: why}, nil // without a queue nothing is stuck
	}
	fact, q := registry.Fact{Reached: true}, v.queues[l.Port]
	if oldest, waits := q.oldest(); waits {
		fact.Open, fact.Pending, fact.Age = true, uint64(q.waiting()), v.readAt-oldest
		fact.Reason = "a connection to " + endpoint("TCP", l.Port) + " has not been accepted"
		if fact.Pending > 1 {
			fact.Reason = fmt.Sprintf("one of %d connections to %s has not been accepted", fact.Pending, endpoint("TCP", l.Port))
		}
	}
	return fact, nil
}

// countQueue counts the queue of the address, inspects it if needed, and returns its
// sockets.
func (v *view) countQueue(at netip.AddrPort) ([]listener, error) {
	return cacheOf(v.counted, at).get(func() ([]listener, error) {
		all, err := v.listenersOn(at.Port())
		if err != nil {
			return nil, err
		}
		sockets, q := queuesFor(all, at.Addr()), v.queues[at]
		q.startReading()
		q.count(sockets, v.now())
		if q.needsInspection(v.now()) {
			err = v.inspect(at, q)
		}
		return sockets, err
	})
}

// maxInspections is how often an inspection is repeated until it lists every counted
// connection. It misses those that arrive or are accepted meanwhile; those that were
// reset are never listed.
const maxInspections = 3

// inspect lists the connections that wait, and counts them again.
func (v *view) inspect(at netip.AddrPort, q *queue) error {
	start, gap := v.now(), q.afterGap()
	before, err := v.waitingAt(at)
	if err != nil {
		return err
	}
	for range maxInspections {
		all, err := listeners(v.diag, at.Port())
		if err != nil {
			return remedy("the listening sockets of this host", err)
		}
		q.count(queuesFor(all, at.Addr()), v.now())
		after, err := v.waitingAt(at)
		if err != nil {
			return err
		}
		if q.inspect(before, after, gap, v.now()) == 0 {
			break
		}
		before = after
	}
	q.inspectedAt, q.inspectionTime = v.now(), v.now()-start
	return nil
}

// listenersOn returns the sockets that listen on the port.
func (v *view) listenersOn(port uint16) ([]listener, error) {
	return cacheOf(v.listeners, port).get(func() ([]listener, error) {
		all, err := listeners(v.diag, port)
		if err != nil {
			return nil, remedy("the listening sockets of this host", err)
		}
		return all, nil
	})
}

// waitingAt returns the connections that wait at the sockets of the address.
func (v *view) waitingAt(at netip.AddrPort) ([]connection, error) {
	all, err := v.listenersOn(at.Port())
	if err != nil {
		return nil, err
	}
	sockets := queuesFor(all, at.Addr())
	var found []connection
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if !slices.ContainsFunc(sockets, func(l listener) bool { return l.family == family && l.queue > 0 }) {
			continue
		}
		all, err := connections(v.diag, family, at.Port())
		if err != nil {
			return nil, remedy("the connections of this host", err)
		}
		found = append(found, all...)
	}
	return slices.DeleteFunc(found, func(c connection) bool {
		own := receivers(all, c)
		return !slices.ContainsFunc(sockets, func(l listener) bool {
			return slices.ContainsFunc(own, func(o listener) bool { return o.cookie == l.cookie })
		})
	}), nil
}

// matching returns the sockets that receive connections to the address: those bound
// to it, or else those bound to all addresses. If a is not valid, it returns all
// sockets. It leaves out sockets that are bound to a device, because connections
// through other devices do not reach them.
func matching(sockets []listener, a netip.Addr) []listener {
	var bound, every []listener
	for _, l := range sockets {
		switch {
		case l.device != 0:
		case l.at == a:
			bound = append(bound, l)
		case !a.IsValid() || l.takes(a):
			every = append(every, l)
		}
	}
	if len(bound) > 0 {
		return bound
	}
	return every
}

// queuesFor returns the sockets in whose queues connections to the address wait: the
// matching ones, and those that receive connections to it through one device. It
// returns none if none match.
func queuesFor(sockets []listener, a netip.Addr) []listener {
	all := matching(sockets, a)
	if len(all) == 0 {
		return nil
	}
	for _, l := range sockets {
		if l.device != 0 && (!a.IsValid() || l.takes(a)) {
			all = append(all, l)
		}
	}
	return all
}

// receivers returns the sockets that may have received the connection. A connection
// to a socket that is bound to a device is bound to the device, too.
func receivers(sockets []listener, c connection) []listener {
	var bound []listener
	for _, l := range sockets {
		if l.device != 0 && l.device == c.device && l.takes(c.to) {
			bound = append(bound, l)
		}
	}
	if len(bound) > 0 {
		return bound
	}
	return matching(sockets, c.to)
}

// endpoint returns the text for an address of a program.
func endpoint(protocol string, at netip.AddrPort) string {
	if at.Addr().IsValid() {
		return protocol + " " + at.String()
	}
	return fmt.Sprintf("%s port %d", protocol, at.Port())
}
