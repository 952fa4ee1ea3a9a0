package wait

import "syscall"

func onFirstThread() bool { return syscall.Gettid() == syscall.Getpid() }
