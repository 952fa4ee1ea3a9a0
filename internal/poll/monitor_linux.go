package poll

import "syscall"

// noteWake is called by a goroutine that has slept in the runtime's poller, before it goes on.
//
// The runtime has a monitor, which makes goroutines that compute give way. While all processors are idle the
// monitor sleeps too, until the next timer, or for up to a minute. System calls of which the runtime knows wake
// it; the runtime's poller does not (go1.26, sysmon in runtime/proc.go), and most of our system calls are not
// known to it. So if, after a pause, as many goroutines begin to compute as there are processors, nothing else
// would run until the monitor wakes by itself. Hence a system call of which the runtime does know. Our own
// poller needs none: epollNow is one.
func noteWake() { _, _, _ = syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) }
