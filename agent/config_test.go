package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/landmark-health/landmark/agent/landmark"
	"github.com/landmark-health/landmark/internal/collector"
	"github.com/landmark-health/landmark/internal/contract"
)

func TestStartNamesInvalidField(t *testing.T) {
	var bad landmark.Set
	bad.Alive("reader", 0)
	tests := []struct {
		name   string
		change func(*Config)
		want   string // the beginning of the error, "" = none
	}{
		{"plain", func(*Config) {}, ""},
		{"longest service", func(c *Config) { c.Service = strings.Repeat("a", 90) }, ""},
		{"all characters", func(c *Config) { c.Service = "9A._-z" }, ""},
		{"like a reserved word", func(c *Config) { c.Service = "livenesses" }, ""},
		{"reserved word without hyphen", func(c *Config) { c.Service = "epg.readiness" }, ""},
		{"no service", func(c *Config) { c.Service = "" }, "agent: Service"},
		{"long service", func(c *Config) { c.Service = strings.Repeat("a", 91) }, "agent: Service"},
		{"service with slash", func(c *Config) { c.Service = "a/b" }, "agent: Service"},
		{"service with newline", func(c *Config) { c.Service = "a\n" }, "agent: Service"},
		{"service begins with dot", func(c *Config) { c.Service = ".a" }, "agent: Service"},
		{"reserved", func(c *Config) { c.Service = "startup" }, "agent: Service"},
		{"reserved ending", func(c *Config) { c.Service = "epg-liveness" }, "agent: Service"},
		{"hyphen and reserved", func(c *Config) { c.Service = "a--readiness" }, "agent: Service"},
		{"longest instance", func(c *Config) { c.Instance = strings.Repeat(" ", 128) }, ""},
		{"long instance", func(c *Config) { c.Instance = strings.Repeat("a", 129) }, "agent: Instance"},
		{"instance not ASCII", func(c *Config) { c.Instance = "é" }, "agent: Instance"},
		{"instance with DEL", func(c *Config) { c.Instance = "\x7f" }, "agent: Instance"},
		{"longest socket", func(c *Config) { c.Socket = strings.Repeat("s", 107) }, ""},
		{"long socket", func(c *Config) { c.Socket = strings.Repeat("s", 108) }, "agent: Socket"},
		{"socket with zero", func(c *Config) { c.Socket = "a\x00b" }, "agent: Socket"},
		{"no landmarks", func(c *Config) { c.Landmarks = nil }, "agent: Landmarks: missing"},
		{"bad landmark", func(c *Config) { c.Landmarks = &bad }, `agent: Landmarks: landmark "reader": within`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Service: "epg", Landmarks: new(landmark.Set), Socket: t.TempDir() + "/no.sock"}
			tt.change(&cfg)
			a, err := Start(cfg)
			if a != nil {
				closeAgent(t, a)
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Start() = %v", err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
				t.Errorf("Start() = %v, want %s…", err, tt.want)
			}
		})
	}
}

func TestConfigDefaults(t *testing.T) {
	t.Setenv("LANDMARK_SOCKET", "/from/environment.sock")
	cfg, err := Config{Service: "epg", Landmarks: new(landmark.Set)}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if want := strconv.Itoa(os.Getpid()) + "-"; !strings.HasPrefix(cfg.Instance, want) || contract.CheckInstanceName(cfg.Instance) != nil {
		t.Errorf("Instance = %q, want %s and a unique suffix", cfg.Instance, want)
	}
	if again, err := (Config{Service: "epg", Landmarks: new(landmark.Set)}).complete(); err != nil || again.Instance != cfg.Instance {
		t.Errorf("second time: Instance = %q, %v, want %q again", again.Instance, err, cfg.Instance)
	}
	if cfg.Socket != "/from/environment.sock" {
		t.Errorf("Socket = %q, want $LANDMARK_SOCKET", cfg.Socket)
	}
	cfg.Logger.Error("no one sees this: the default Logger discards")
}

func TestIntervals(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for _, tt := range []struct{ within, command, report time.Duration }{
		{ms, 25 * ms, 25 * ms},
		{100 * ms, 25 * ms, 25 * ms},
		{200 * ms, 50 * ms, 50 * ms},
		{s, 250 * ms, 250 * ms},
		{4 * s, s, 500 * ms},
		{24 * 3600 * s, s, 500 * ms},
	} {
		slow := landmarkState{Landmark: collector.Landmark{Declaration: collector.Declaration{Within: 24 * time.Hour}}}
		own := landmarkState{Landmark: collector.Landmark{Declaration: collector.Declaration{Within: tt.within}}}
		if got := commandInterval(tt.within); got != tt.command {
			t.Errorf("within %v: a command every %v, want %v", tt.within, got, tt.command)
		}
		if got := reportInterval([]landmarkState{slow, own}); got != tt.report {
			t.Errorf("within %v: a report every %v, want %v", tt.within, got, tt.report)
		}
	}
}

func TestBackoff(t *testing.T) {
	const ms = time.Millisecond
	var b backoff
	expect := func(want time.Duration) {
		t.Helper()
		if got := b.delay(); got < want*8/10 || got > want*12/10 {
			t.Errorf("delay %v, want %v ± 20 %%", got, want)
		}
	}
	for range 2 {
		for _, want := range []time.Duration{50 * ms, 100 * ms, 200 * ms, 400 * ms, 500 * ms, 500 * ms} {
			expect(want)
		}
		b.established()
		expect(0)
	}
	short, long := false, false
	for range 200 {
		b.established()
		b.delay()
		d := b.delay()
		short, long = short || d < 45*ms, long || d > 55*ms
	}
	if !short || !long {
		t.Error("delays do not vary, so all agents of a machine would dial together")
	}
}

// A second agent with the same identity is refused until the first is closed,
// because the sidecar would only count the newer one.
func TestStartRefusesDuplicateIdentity(t *testing.T) {
	dir := t.TempDir()
	startAs := func(service, instance string) (*Agent, error) {
		return Start(Config{Service: service, Instance: instance, Landmarks: new(landmark.Set), Socket: filepath.Join(dir, "none.sock")})
	}
	first, err := startAs("epg", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := startAs("epg", ""); err == nil || !strings.Contains(err.Error(), "Instance") {
		t.Errorf("a second agent of the same service and instance: %v", err)
	}
	for _, other := range []struct{ service, instance string }{{"epg", "b"}, {"vod", ""}} {
		a, err := startAs(other.service, other.instance)
		if err != nil {
			t.Fatalf("%v: %v", other, err)
		}
		closeAgent(t, a)
	}
	closeAgent(t, first)
	second, err := startAs("epg", "")
	if err != nil {
		t.Fatalf("after the first is closed: %v", err)
	}
	closeAgent(t, second)
}
