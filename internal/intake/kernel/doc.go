// Package kernel reads what the kernel says of a process whose work has just begun to
// fail: what each thread does or waits for, and how much processor time it uses
// (/proc/PID/task, proc(5)). That is evidence for people, of programs in any language.
// It changes no verdict, and no verdict waits for it.
//
// A capture is followed through server.go, process.go and thread.go, which read, and
// doing.go and summary.go, which say it in words.
package kernel
