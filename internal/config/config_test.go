package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// byValue compares addresses by value.
var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})

// policy returns the default policy, changed.
func policy(change func(*registry.Policy)) registry.Policy {
	p := registry.DefaultPolicy
	change(&p)
	return p
}

func TestParse(t *testing.T) {
	twoSeconds := policy(func(p *registry.Policy) { p.FallAfter = 2 * time.Second })
	for _, test := range []struct {
		name string
		yaml string
		want map[string]registry.Policy
	}{
		{"empty", "", nil},
		{"only a comment", "# nothing yet\n", nil},
		{"only a document's marks", "---\n...\n", nil},
		{"no services", "services:\n", nil},
		{"no services, in brackets", "services: {}\n", nil},
		{
			"a service without keys", "services:\n  epg:\n",
			map[string]registry.Policy{"epg": registry.DefaultPolicy},
		},
		{
			"every key", `
services:
  epg:
    stale_after: 2s
    forget_after: 720h
    instances: at_least 3
    fall_after: 1.5s
    recover_after: 1h
    slow_start: 1m30s
    max_age: 1ms
    ask_timeout: 800ms
    landmarks:
      main loop:
        impact: readiness
        within: 24h
        start_within: 0
        ttl: 30s
        degrade_at: 1e3
        fail_at: -0.5
`,
			map[string]registry.Policy{"epg": {
				Policy: judge.Policy{
					StaleAfter:   2 * time.Second,
					ForgetAfter:  720 * time.Hour,
					Quorum:       judge.Quorum{AtLeast: 3},
					FallAfter:    1500 * time.Millisecond,
					RecoverAfter: time.Hour,
					SlowStart:    90 * time.Second,
				},
				MaxAge:      time.Millisecond,
				PollTimeout: 800 * time.Millisecond,
				Landmarks: map[string]registry.Override{"main loop": {
					Impact:      new(judge.ImpactReadiness),
					Within:      new(24 * time.Hour),
					StartWithin: new(time.Duration(0)),
					TTL:         new(30 * time.Second),
					DegradeAt:   new(1000.0),
					FailAt:      new(-0.5),
				}},
			}},
		},
		{
			"landmarks of the host", `
services:
  epg:
    instances: none
    host:
      vip: {address: "::ffff:192.0.2.80", direct_routing: true}
      vip6: {address: 2001:db8::80, impact: informational, direct_routing: false}
      port: {listening: 5400}
      port of one: {listening: 10.0.0.7:5400, impact: degrading}
      queue: {accept_queue: "[::]:5400"}
      slow queue: {accept_queue: 5400, within: 100ms, impact: readiness}
      dns: {bound: "127.0.0.1:53"}
      datagrams: {receive_queue: 53}
`,
			map[string]registry.Policy{"epg": policy(func(p *registry.Policy) {
				p.Quorum = judge.NoneNeeded
				condition := func(name string, impact judge.Impact) judge.Declared {
					return judge.Declared{Name: name, Kind: judge.KindCondition, Impact: impact}
				}
				queue := func(name string, impact judge.Impact, within time.Duration) judge.Declared {
					return judge.Declared{Name: name, Kind: judge.KindDeadline, Impact: impact, Within: within}
				}
				anywhere := netip.AddrPortFrom(netip.Addr{}, 5400)
				p.Host = []registry.HostLandmark{
					{Declared: condition("vip", judge.ImpactReadiness), Address: netip.MustParseAddr("192.0.2.80"), DirectRouting: true},
					{Declared: condition("vip6", judge.ImpactInformational), Address: netip.MustParseAddr("2001:db8::80")},
					{Declared: condition("port", judge.ImpactReadiness), Port: anywhere},
					{Declared: condition("port of one", judge.ImpactDegrading), Port: netip.MustParseAddrPort("10.0.0.7:5400")},
					{Declared: queue("queue", judge.ImpactCritical, 2*time.Second), Port: netip.MustParseAddrPort("[::]:5400")},
					{Declared: queue("slow queue", judge.ImpactReadiness, 100*time.Millisecond), Port: anywhere},
					{Declared: condition("dns", judge.ImpactReadiness), Port: netip.MustParseAddrPort("127.0.0.1:53"), UDP: true},
					{Declared: queue("datagrams", judge.ImpactCritical, 2*time.Second), Port: netip.AddrPortFrom(netip.Addr{}, 53), UDP: true},
				}
			})},
		},
		{
			"names of quorums", "services: {a: {instances: all}, b: {instances: any}, c: {instances: at_least 1024}}",
			map[string]registry.Policy{
				"a": registry.DefaultPolicy,
				"b": policy(func(p *registry.Policy) { p.Quorum = judge.Any }),
				"c": policy(func(p *registry.Policy) { p.Quorum.AtLeast = registry.MaxInstances }),
			},
		},
		{
			"names that have another YAML type", "services:\n  1.0: {}\n  0x10: {}\n  true: {}\n  \"null\": {}\n",
			map[string]registry.Policy{
				"1.0": registry.DefaultPolicy, "0x10": registry.DefaultPolicy,
				"true": registry.DefaultPolicy, "null": registry.DefaultPolicy,
			},
		},
		{
			"quotes, comments, CRLF and a byte order mark",
			"\ufeff# comment\r\n'services':\r\n  \"epg\": # one\r\n    fall_after: \"2s\"\t# two\t\r\n  \r\n",
			map[string]registry.Policy{"epg": twoSeconds},
		},
		{
			"an anchor's mapping", "services:\n  a: &all\n    fall_after: 2s\n  b: *all\n",
			map[string]registry.Policy{"a": twoSeconds, "b": twoSeconds},
		},
		{
			"an anchor's scalar", "services:\n  a:\n    fall_after: &t 2s\n  b:\n    fall_after: *t\n",
			map[string]registry.Policy{"a": twoSeconds, "b": twoSeconds},
		},
		{
			"an anchor set again", "services:\n  a: &x {fall_after: 1h}\n  b: &x {fall_after: 2s}\n  c: *x\n",
			map[string]registry.Policy{
				"a": policy(func(p *registry.Policy) { p.FallAfter = time.Hour }), "b": twoSeconds, "c": twoSeconds,
			},
		},
		{
			"a merge, which does not override keys",
			"services:\n  a: &x {fall_after: 1h, slow_start: 1s}\n  b:\n    <<: *x\n    fall_after: 2s\n",
			map[string]registry.Policy{
				"a": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = time.Hour, time.Second }),
				"b": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = 2*time.Second, time.Second }),
			},
		},
		{
			"a merge of several; the first counts",
			"services:\n  a: &x {fall_after: 2s}\n  b: &y {fall_after: 1h, slow_start: 1s}\n  c: {<<: [*x, *y]}\n",
			map[string]registry.Policy{
				"a": twoSeconds,
				"b": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = time.Hour, time.Second }),
				"c": policy(func(p *registry.Policy) { p.FallAfter, p.SlowStart = 2*time.Second, time.Second }),
			},
		},
		{
			"names of impacts",
			"services: {epg: {landmarks: {a: {impact: critical}, b: {impact: degrading}, c: {impact: informational}}}}",
			map[string]registry.Policy{"epg": policy(func(p *registry.Policy) {
				p.Landmarks = map[string]registry.Override{
					"a": {Impact: new(judge.ImpactCritical)},
					"b": {Impact: new(judge.ImpactDegrading)},
					"c": {Impact: new(judge.ImpactInformational)},
				}
			})},
		},
		{
			"landmarks of the whole range of names",
			"services:\n  epg:\n    landmarks:\n      " + strings.Repeat("x", 128) + ":\n      \"größe: 1\": {fail_at: 3}\n",
			map[string]registry.Policy{"epg": policy(func(p *registry.Policy) {
				p.Landmarks = map[string]registry.Override{
					strings.Repeat("x", 128): {}, "größe: 1": {FailAt: new(3.0)},
				}
			})},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parse("landmarkd.yaml", []byte(test.yaml))
			if err != nil {
				t.Fatal(err)
			}
			if test.want == nil {
				test.want = map[string]registry.Policy{}
			}
			if diff := cmp.Diff(test.want, got.Services, byValue); diff != "" {
				t.Errorf("the policies differ (-want +got):\n%s", diff)
			}
			checkFile(t, got)
		})
	}
}
