package main

import (
	"fmt"
	"regexp"
	"strings"
)

// rows are all rows, in the order of the table.
var rows = append([]row{
	udpRow, pacedRow, signedRow, tcpRow,
	idleRow, fleetRow, directorRow, checkRow,
	grpcCheckRow, grpcWatchRow, lmpWatchRow,
	changeRow, freshRow, reachRow, overloadRow, startupRow, gateRow,
}, extraRows()...)

// rowsNamed returns the rows whose names match the regular expression, in upper or lower
// case. If there are none, the error lists the names.
func rowsNamed(expression string) (chosen []row, err error) {
	wanted, err := regexp.Compile("(?i)" + expression)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if wanted.MatchString(r.name) {
			chosen = append(chosen, r)
		}
	}
	if len(chosen) == 0 {
		var names []string
		for _, r := range rows {
			names = append(names, r.name)
		}
		return nil, fmt.Errorf("no row has a name that matches %s; the names are: %s", expression, strings.Join(names, ", "))
	}
	return chosen, nil
}
