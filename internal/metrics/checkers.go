package metrics

import (
	dto "github.com/prometheus/client_model/go"

	"github.com/landmark-health/landmark/internal/checkers"
)

// maxCheckers is how many checkers these metrics have.
const maxCheckers = 4_096

// checkerFamily is a family with a metric of each checker.
type checkerFamily struct {
	name, help string
	kind       dto.MetricType
	value      func(c *checkers.Stats) float64
}

var checkerFamilies = []checkerFamily{
	{"landmark_checker_checks_total", "Requests of the checker.", counter,
		func(c *checkers.Stats) float64 { return float64(c.Total) }},
	{"landmark_checker_checks_per_second", "The recent rate of the checker's requests.", gauge,
		func(c *checkers.Stats) float64 { return c.Rate }},
	{"landmark_checker_last_check_age_seconds", "Since the checker's last request.", gauge,
		func(c *checkers.Stats) float64 { return c.SinceLast.Seconds() }},
	{"landmark_checker_silent", "Whether the checker checked steadily, and no longer does.", gauge,
		func(c *checkers.Stats) float64 { return oneIf(c.Silent) }},
}

var byChecker = []string{"service", "checker", "front_end"}

// writeCheckers writes a family, and returns how many checkers are beyond the limit. It
// leaves out those that are not steady: the source of a datagram can be forged, and each
// forged one would be a time series in Prometheus.
func (s *scrape) writeCheckers(f *checkerFamily) (omitted int) {
	s.begin(f.name, f.help, f.kind)
	left := maxCheckers
	write := func(service string) {
		for _, c := range s.checkers.ByService(service) {
			switch {
			case !c.Steady:
			case left == 0:
				omitted++
			default:
				left--
				s.add(f.value(&c), byChecker, service, c.Address(), string(c.Via))
			}
		}
	}
	write("")
	for _, name := range s.names {
		write(name)
	}
	return omitted
}

// writePeers writes the metrics of checkers that are not found by service: of unknown
// names, of BFD, and of gates.
func (s *scrape) writePeers() {
	s.begin("landmark_unknown_name_checkers", "Checkers of names that no service has, in the last day.", gauge)
	s.add(float64(len(s.checkers.Unknown())), nil)
	sessions := s.checkers.BFDSessions()
	byPeer := []string{"name", "peer", "local"}
	s.begin("landmark_bfd_session_up", "Whether the BFD session is Up.", gauge)
	for _, b := range sessions {
		s.add(oneIf(b.Up), byPeer, b.Name, b.Peer.String(), b.Local.String())
	}
	s.begin("landmark_bfd_peer_alive", "Whether packets of the BFD session's peer arrive.", gauge)
	for _, b := range sessions {
		s.add(oneIf(b.PeerAlive), byPeer, b.Name, b.Peer.String(), b.Local.String())
	}
	s.begin("landmark_gate_open", "Whether the gate of the service is open.", gauge)
	s.writeGates(func(g *checkers.GateStats) float64 { return oneIf(g.Open) })
	s.begin("landmark_gate_problem", "Whether the gate of the service cannot be opened or kept closed.", gauge)
	s.writeGates(func(g *checkers.GateStats) float64 { return oneIf(g.Problem != "") })
}

func (s *scrape) writeGates(value func(g *checkers.GateStats) float64) {
	for _, name := range s.names {
		if g, ok := s.checkers.Gate(name); ok {
			s.add(value(&g), byService, name)
		}
	}
}
