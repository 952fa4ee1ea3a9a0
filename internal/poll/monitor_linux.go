package poll

import "syscall"

// noteWake is called by a goroutine that has slept in the runtime's poller, before it goes on.
//
// The runtime has a monitor, which makes a goroutine give way that computes. While no processor has anything to do the
// monitor sleeps too, until the next timer, or for up to a minute. It is woken by system calls of which the runtime knows, and
// not by its poller (go1.26, sysmon in runtime/proc.go). Most of ours it does not know of. So if what comes
// after a pause makes as many goroutines compute as there are processors, nothing else would run until the monitor wakes by
// itself. Hence this system call, of which the runtime does know.
func noteWake() { _, _, _ = syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) }
