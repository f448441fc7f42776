// Package sdnotify is the intake for programs that send notifications
// (sd_notify(3)): it makes each main process a session of the registry.
//
// A notification proves only what the program itself says in it. That its process
// exists and is not stopped is the kernel's fact, by pidfd and /proc: as long as it
// holds, the intake repeats the process's report, with the ages of its landmarks
// growing. Nothing but the program's own notifications reaches a landmark.
//
// A datagram is followed through receiver.go, which has the socket, and server.go to its
// process.go. There state.go takes what it says, landmarks.go has the landmarks, and the
// process reports them to the registry, as tick does later without a datagram.
// mainprocess.go finds the process that a datagram is about, and whether its sender may
// speak for it; processes.go has all that are known. file.go writes what the next
// landmarkd needs, because a program does not repeat what it has said, and restore.go
// reads it.
package sdnotify
