// Package agents is the intake of agents' streams: it takes what agents report
// over agent.sock, holds it against the rules of the schema
// (proto/landmark/report/v1), and feeds the registry.
//
// A message that breaks a rule ends its stream with a gRPC status that names
// the field, and nothing else.
package agents
