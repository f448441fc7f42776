package snippet

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"time"

	"github.com/landmark-health/landmark/internal/contract"
)

// prometheus is Prometheus, which checks through its blackbox exporter.
type prometheus struct {
	probe
	Part     choice
	Real     endpoints
	GRPC     port
	Exporter endpoint
}

func (p *prometheus) Flags(flags *flag.FlagSet) {
	p.Part.of = []string{"blackbox", "scrape", "rules"}
	p.GRPC = contract.GRPCPort
	p.Exporter.AddrPort = netip.MustParseAddrPort("127.0.0.1:9115")
	p.Interval, p.Patience = 15*time.Second, time.Minute
	p.probe.flags(flags)
	flags.Var(&p.Part, "part", "which `FILE`: blackbox (of the exporter), scrape (of Prometheus) or rules (its alerts)")
	flags.Var(&p.Real, "real", "a real server's `IP:PORT`; give one for each, for -part scrape")
	flags.Var(&p.GRPC, "grpc", "the `PORT` of landmarkd's -grpc, for -part scrape")
	flags.Var(&p.Exporter, "exporter", "the `IP:PORT` of the blackbox exporter, for -part scrape")
}

func (p *prometheus) Configuration() (string, error) {
	if err := p.validate(); err != nil {
		return "", err
	}
	if err := p.validateWholeSeconds("Prometheus"); err != nil {
		return "", err
	}
	switch {
	case p.Part.word == "":
		return "", errors.New("which file? Give -part blackbox, scrape and rules, one after the other")
	case p.Part.word == "scrape" && len(p.Real) == 0:
		return "", errors.New("which real servers? Give -real IP:PORT for each")
	}
	return write(fmt.Sprintf("prometheus-%s.yaml.tmpl", p.Part.word), p)
}

// Warnings implements Program.
func (p *prometheus) Warnings() []string { return p.Real.warnings(p.Service) }

// The methods from here on are for the template.

func (p *prometheus) Timeout() time.Duration { return answerTimeout }

// ScrapeTimeout returns a timeout that leaves the exporter the half second that it
// needs, if the interval is long enough.
func (p *prometheus) ScrapeTimeout() time.Duration { return min(answerTimeout+time.Second, p.Interval) }

// For returns how many seconds an alert must hold before it fires.
func (p *prometheus) For() int { return wholeSeconds(p.Patience) }
