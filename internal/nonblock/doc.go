// Package nonblock makes system calls that return at once, for what a process does each
// time it wakes up.
//
// Go tells its scheduler of each system call, because it may block. If the process was
// idle, that wakes the thread by which Go watches such calls (sysmon), and this looks
// again and again for some 100 µs whether the process is idle again. So one call costs an
// idle process several changes of threads, and more CPU time than the work it woke up
// for. The calls here cannot block, and so are not told.
package nonblock
