// Package agent reports a program's landmarks to landmarkd, the sidecar beside it,
// so that load balancers and supervisors know whether the program does its work.
//
// Declare landmarks in a [landmark.Set], call [Start] with it when the program
// starts, and [Agent.Close] when it stops:
//
//	var marks landmark.Set
//	mainLoop := marks.Loop("main loop", time.Second)
//	a, err := agent.Start(agent.Config{Service: "epg", Landmarks: &marks, Logger: slog.Default()})
//	if err != nil {
//		return err
//	}
//	defer a.Close()
//
// The agent reports facts, which are ages and counts. It does not judge them. It
// sends the get-state command to each Loop every quarter of its Within (25 ms to
// 1 s). It sends a report every quarter of the smallest Within or TTL (25 ms to
// 500 ms), and at once when something changes. A healthy agent does not make a
// program healthy: while the main loop is blocked, the reports say so. The
// functions that a Level or Condition gives to the agent run in the background,
// and no report waits for them.
//
// The program never waits for landmarkd. When it is missing, the agent
// makes no reports. When it is slow or stopped, at most 64 reports wait in the
// socket until it reads. On each new connection the agent sends the whole state.
//
// A landmark is followed through reporter.go, which samples it and decides when a report
// is due, message.go and stream.go, which sends the report to landmarkd. From the same
// samples, servicemanager.go decides what systemd gets.
//
// The wire format is landmark.report.v1 over landmark.intake.v1, gRPC on a Unix
// socket.
package agent
