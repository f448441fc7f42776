// Package agents is the intake of agents: it receives their streams over
// agent.sock, checks each message against the rules of the schema
// (proto/landmark/report/v1), and reports to the registry.
//
// A message that breaks a rule ends its stream, and no other, with a gRPC status
// that names the field. Each program that is refused is logged.
//
// A report is followed through session.go, which receives the messages of a stream
// (Stream, run, handle), and report.go, which parses their facts and dates them.
// throttle.go and connections_linux.go limit what is read, by the buckets of rate.go.
// connections_linux.go says whether all is read, and exits_linux.go whether the process
// has ended.
//
// The package uses pidfds and epoll, which exist on Linux only.
package agents
