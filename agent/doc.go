// Package agent carries a program's landmarks to the sidecar beside it, so that
// load balancers and supervisors learn whether the program does its work.
//
// Declare landmarks in a [landmark.Set], call [Start] with it when the program
// begins, and [Agent.Close] when it stops of its own will:
//
//	var marks landmark.Set
//	mainLoop := marks.Loop("main loop", time.Second)
//	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: &marks})
//	if err != nil {
//		return err
//	}
//	defer a.Close()
//
// The agent states facts, ages and counts, and never judges them. It puts the
// get-state command to each Loop every quarter of its Within (10 ms to 1 s),
// reports every quarter of the smallest Within or TTL (25 ms to 500 ms), and at
// once when something changes. It vouches for nothing: while the main loop is
// blocked, a healthy agent reports just that. Levels and Conditions that want to
// be asked it asks in the background, and waits for none of them.
//
// The program never waits for the sidecar. When there is none, or it is slow or
// frozen, the agent holds no queue: a report is composed when gRPC takes it,
// whose own window for a sidecar that does not read is 64 KiB, and everything
// is said again on each new connection.
//
// The wire is landmark.report.v1 over landmark.intake.v1, gRPC on a Unix socket.
package agent
