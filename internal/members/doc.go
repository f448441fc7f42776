// Package members keeps a file of the services' members, so that the next landmarkd
// knows which processes to wait for, and which services operators have drained. The
// file has no facts and no verdicts. It is beside the agents' socket.
package members
