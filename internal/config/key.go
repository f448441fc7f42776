package config

import (
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/landmark-health/landmark/internal/contract"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// key is one key of a mapping that fills a T.
type key[T any] struct {
	name  string
	takes string // which values it takes
	read  func(r *reader, at path, n ast.Node, to *T)
}

// The ranges of durations.
var (
	damping  = durations(0, time.Hour)
	anyAge   = durations(contract.MinDuration, contract.MaxDuration)
	optional = durations(0, contract.MaxDuration)
)

// fileKeys are the keys of the whole file.
var fileKeys = []key[File]{
	{"services", "a mapping of names to services", readServices},
	{"bfd", "a list of BFD sessions", readPeerings},
}

// service is what the file says of a service.
type service struct {
	registry.Policy
	gate   gateEntry
	notify notifyEntry
}

// serviceKeys are the keys of a service.
var serviceKeys = []key[service]{
	scalarKey("stale_after", durations(500*time.Millisecond, time.Hour),
		func(s *service, d time.Duration) { s.StaleAfter = d }),
	scalarKey("forget_after", durations(time.Second, 720*time.Hour),
		func(s *service, d time.Duration) { s.ForgetAfter = d }),
	scalarKey("instances", quorums(),
		func(s *service, q judge.Quorum) { s.Quorum = q }),
	scalarKey("fall_after", damping,
		func(s *service, d time.Duration) { s.FallAfter = d }),
	scalarKey("recover_after", damping,
		func(s *service, d time.Duration) { s.RecoverAfter = d }),
	scalarKey("slow_start", damping,
		func(s *service, d time.Duration) { s.SlowStart = d }),
	scalarKey("max_age", anyAge,
		func(s *service, d time.Duration) { s.MaxAge = d }),
	// Most checkers have a timeout of one second, so the answer must come within
	// 800 ms.
	scalarKey("ask_timeout", durations(10*time.Millisecond, 800*time.Millisecond),
		func(s *service, d time.Duration) { s.PollTimeout = d }),
	scalarKey("watchdog", durations(contract.MinWithin, contract.MaxDuration),
		func(s *service, d time.Duration) { s.notify.Watchdog = d }),
	{"notify_socket", paths().takes, readNotifySocket},
	{"landmarks", "a mapping of names to landmarks", readLandmarks},
	{"host", "a mapping of names to landmarks of the host", readHost},
	{"probe", "a mapping of an active check's keys", readProbe},
	{"gate", gateTakes, readGate},
}

// landmarkKeys are the keys of a landmark. The ranges are those for declarations of
// programs (proto/landmark/report/v1).
var landmarkKeys = []key[registry.Override]{
	scalarKey("impact", impacts(),
		func(o *registry.Override, i judge.Impact) { o.Impact = &i }),
	scalarKey("within", anyAge,
		func(o *registry.Override, d time.Duration) { o.Within = &d }),
	scalarKey("start_within", optional,
		func(o *registry.Override, d time.Duration) { o.StartWithin = &d }),
	scalarKey("ttl", optional,
		func(o *registry.Override, d time.Duration) { o.TTL = &d }),
	scalarKey("degrade_at", numbers(),
		func(o *registry.Override, f float64) { o.DegradeAt = &f }),
	scalarKey("fail_at", numbers(),
		func(o *registry.Override, f float64) { o.FailAt = &f }),
}

// scalarKey returns a key whose value is a scalar; set stores it.
func scalarKey[T, V any](name string, s scalar[V], set func(*T, V)) key[T] {
	return key[T]{name, s.takes, func(r *reader, at path, n ast.Node, to *T) {
		text, ok := r.text(n)
		if !ok {
			r.fail(n, at, "is %s: write %s", describe(r.plain(n)), s.takes)
			return
		}
		v, err := s.parse(text)
		if err != nil {
			r.fail(n, at, "%v", err)
			return
		}
		set(to, v)
	}}
}

// fill reads a mapping with the given keys into to.
func fill[T any](r *reader, at path, n ast.Node, keys []key[T], to *T) {
	for _, e := range r.mapping(at, n) {
		i := slices.IndexFunc(keys, func(k key[T]) bool { return k.name == e.name })
		if i < 0 {
			r.fail(e.key, at.to(e.name), "is not a key here: use one of %s", list(keys))
			continue
		}
		keys[i].read(r, at.to(e.name), e.value, to)
	}
}

// list returns the names of the keys in their order.
func list[T any](keys []key[T]) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}
