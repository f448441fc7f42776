package main

// rows are all rows, in the order of the table.
var rows = append([]row{
	udpRow, pacedRow, signedRow, tcpRow,
	idleRow, fleetRow, directorRow, checkRow,
	grpcCheckRow, grpcWatchRow, lmpWatchRow,
	changeRow, freshRow, reachRow, overloadRow, startupRow, gateRow,
}, extraRows()...)
