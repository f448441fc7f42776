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

// view is the host at one moment. Each part of it is read once, and only if it
// is asked for.
type view struct {
	route, diag *netlink
	now         func() time.Duration

	addresses part[[]address]
	links     part[[]link]
	arp       part[arp]
	listeners map[uint16]*part[[]listener]

	queues  map[netip.AddrPort]*queue            // what is known of them
	counted map[netip.AddrPort]*part[[]listener] // the sockets of those that were read
}

// part is a part of a view.
type part[T any] struct {
	known bool
	value T
	err   error
}

func (p *part[T]) get(read func() (T, error)) (T, error) {
	if !p.known {
		p.value, p.err = read()
		p.known = true
	}
	return p.value, p.err
}

// see reads the fact of one landmark. The error says what the kernel did not
// tell, and what to do.
func (v *view) see(l *registry.HostLandmark) (registry.Fact, error) {
	if l.Kind == judge.KindDeadline {
		return v.seeQueue(l)
	}
	look := v.seeListening
	if l.Address.IsValid() {
		look = v.seeAddress
	}
	why, err := look(l)
	return registry.Fact{Reached: true, Met: why == "", Reason: why}, err
}

// remedy says what to do about an error of the kernel's.
func remedy(what string, err error) error {
	var file *fs.PathError
	do := "see what of its kernel landmarkd may not use"
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		do = "let landmarkd have more descriptors (LimitNOFILE= of its unit, ulimit -n)"
	case errors.As(err, &file):
		do = "mount /proc where landmarkd runs, and let it read there"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.EAFNOSUPPORT):
		do = "allow landmarkd netlink sockets (AF_NETLINK in RestrictAddressFamilies= of its unit, or its seccomp profile)"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPROTONOSUPPORT):
		do = "load the kernel's module tcp_diag (modprobe tcp_diag)"
	}
	return fmt.Errorf("reading %s: %w: %s", what, err, do)
}

func (v *view) seeAddress(l *registry.HostLandmark) (why string, err error) {
	all, err := v.addresses.get(func() ([]address, error) { return addresses(v.route) })
	if err != nil {
		return "", remedy("the addresses of this host", err)
	}
	interfaces, err := v.links.get(func() ([]link, error) { return links(v.route) })
	if err != nil {
		return "", remedy("the interfaces of this host", err)
	}
	if why := absent(l.Address, all, interfaces); why != "" || !l.DirectRouting {
		return why, nil
	}
	ofAll, err := v.arp.get(arpOfAll)
	if err != nil && l.Address.Is4() {
		return "", remedy("how this host speaks ARP", err)
	}
	return exposed(l.Address, all, interfaces, ofAll), nil
}

func (v *view) seeListening(l *registry.HostLandmark) (why string, err error) {
	at := l.Port
	all, err := v.on(at.Port())
	if err != nil || len(heard(all, at.Addr())) > 0 {
		return "", err
	}
	return v.silence(all, at), nil
}

// silence says that nothing listens at the place, and where something does instead.
func (v *view) silence(all []listener, at netip.AddrPort) string {
	why := "nothing listens on " + place(at)
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

// device is the name of the interface of that index.
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

func (v *view) seeQueue(l *registry.HostLandmark) (registry.Fact, error) {
	sockets, err := v.count(l.Port)
	if err != nil {
		return registry.Fact{}, err
	}
	if len(sockets) == 0 {
		all, _ := v.on(l.Port.Port())
		return registry.Fact{Reached: true, Unreadable: true, Reason: v.silence(all, l.Port)}, nil // no queue, and no hang
	}
	fact, q := registry.Fact{Reached: true}, v.queues[l.Port]
	if since, waits := q.since(); waits {
		fact.Open, fact.Pending, fact.Age = true, uint64(q.waiting()), v.now()-since
		fact.Reason = "a connection to " + place(l.Port) + " has not been accepted"
		if fact.Pending > 1 {
			fact.Reason = fmt.Sprintf("one of %d connections to %s has not been accepted", fact.Pending, place(l.Port))
		}
	}
	return fact, nil
}

// count has the queue at the place know what waits in it now, and returns the
// sockets there.
func (v *view) count(at netip.AddrPort) ([]listener, error) {
	p := v.counted[at]
	if p == nil {
		p = new(part[[]listener])
		v.counted[at] = p
	}
	return p.get(func() ([]listener, error) {
		all, err := v.on(at.Port())
		if err != nil {
			return nil, err
		}
		sockets, q := queued(all, at.Addr()), v.queues[at]
		q.turn()
		q.count(sockets, v.now())
		if q.doubtful(v.now()) {
			err = v.lookInto(at, q)
		}
		return sockets, err
	})
}

// looks is how often it is tried to see all that is counted. What comes or goes
// while the kernel is asked is not; what was reset never is.
const looks = 3

// lookInto looks at the connections themselves, and counts them again.
func (v *view) lookInto(at netip.AddrPort, q *queue) error {
	began, gap := v.now(), q.blind()
	before, err := v.waiting(at)
	if err != nil {
		return err
	}
	for range looks {
		all, err := listeners(v.diag, at.Port())
		if err != nil {
			return remedy("the listening sockets of this host", err)
		}
		q.count(queued(all, at.Addr()), v.now())
		after, err := v.waiting(at)
		if err != nil {
			return err
		}
		if q.look(before, after, gap, v.now()) == 0 {
			break
		}
		before = after
	}
	q.ended, q.took = v.now(), v.now()-began
	return nil
}

// on are the sockets that listen on the port.
func (v *view) on(port uint16) ([]listener, error) {
	p := v.listeners[port]
	if p == nil {
		p = new(part[[]listener])
		v.listeners[port] = p
	}
	return p.get(func() ([]listener, error) {
		all, err := listeners(v.diag, port)
		if err != nil {
			return nil, remedy("the listening sockets of this host", err)
		}
		return all, nil
	})
}

// waiting are the connections that wait at the sockets that are heard at the
// place.
func (v *view) waiting(at netip.AddrPort) ([]connection, error) {
	all, err := v.on(at.Port())
	if err != nil {
		return nil, err
	}
	sockets := queued(all, at.Addr())
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

// heard are those of the sockets that connections to the address come to: all
// of them if it is not valid; the one of that very address goes before those of
// every address. A socket that is bound to a device is not among them, for
// connections through every other device pass it by.
func heard(sockets []listener, a netip.Addr) []listener {
	var own, every []listener
	for _, l := range sockets {
		switch {
		case l.device != 0:
		case l.at == a:
			own = append(own, l)
		case !a.IsValid() || l.takes(a):
			every = append(every, l)
		}
	}
	if len(own) > 0 {
		return own
	}
	return every
}

// queued are the sockets in whose queues connections to the address wait: where
// any are heard, those, and those that take connections through one device.
func queued(sockets []listener, a netip.Addr) []listener {
	all := heard(sockets, a)
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

// receivers are the sockets that the connection can have come to. One that came
// to a socket bound to a device is bound to it as well.
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
	return heard(sockets, c.to)
}

// place is a place where a program listens, as it is told.
func place(at netip.AddrPort) string {
	if at.Addr().IsValid() {
		return "TCP " + at.String()
	}
	return fmt.Sprintf("TCP port %d", at.Port())
}
