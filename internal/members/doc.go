// Package members keeps a file of the services' membership beside the agents'
// socket, so that a landmarkd that is started again knows which processes to
// wait for and what operators ordered. It holds no facts and no verdicts.
package members
