// Package contract is what an agent, landmarkd, its configuration and its tools
// agree on besides the messages: how services, instances and landmarks may be
// named, the limits of what is declared, the ports, and where the sockets are.
// The names and limits are those of proto/landmark/report/v1.
package contract
