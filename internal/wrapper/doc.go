// Package wrapper runs a program under a notify socket of its own. It passes on what
// the program says there (sd_notify(3)): to the service manager that started the wrapper,
// such as systemd, and to landmarkd.
//
// The wrapper is the parent of the program, and otherwise as little as possible: the
// program has the wrapper's process group, terminal, descriptors and environment, gets its
// signals, and the wrapper ends as the program does.
//
// The wrapper proves nothing itself. For landmarkd the program is the process: each
// notification names it by MAINPID=, so landmarkd follows the program's exit and whether
// it is stopped by itself, also while the wrapper is not there. For the service manager
// the wrapper is the main process, so it takes notifications from no other.
//
// A notification is followed through relay_linux.go, which receives it: record.go takes
// what it says, managerfilter.go decides what of it the service manager gets, and
// sidecar_linux.go sends it to landmarkd. Run, in wrapper_linux.go, connects these, and
// child_linux.go, signals_linux.go and status_linux.go are about the process.
package wrapper
