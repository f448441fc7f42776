package page

import (
	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/frontend/statusmsg"
	"github.com/landmark-health/landmark/internal/terminal"
	statusv1 "github.com/landmark-health/landmark/proto/gen/landmark/status/v1"
)

// otherCheckerJSON is a checker or a BFD session that does not check one known service.
type otherCheckerJSON struct {
	Name    string `json:"name"` // "" = all services together
	Unknown bool   `json:"unknown,omitempty"`
	Address string `json:"address"`
	By      string `json:"by"`
	Rate    string `json:"rate"`
	Last    string `json:"last"`
	Silent  bool   `json:"silent,omitempty"`
}

func (o *overview) otherCheckers() []otherCheckerJSON {
	var all []otherCheckerJSON
	add := func(name string, unknown bool, c *statusv1.Checker) {
		all = append(all, otherCheckerJSON{
			terminal.Printable(name), unknown, terminal.Printable(c.Address), c.FrontEnd, describe.PerSecond(c.PerSecond), describe.LastCheck(c), c.Silent,
		})
	}
	others := statusmsg.NewCheckers(o.config.Source, o.config.Checkers).Others()
	for _, u := range others.Unknown {
		add(u.Name, true, u.Checker)
	}
	for _, c := range others.All {
		add("", false, c)
	}
	return all
}
