package thread

import "syscall"

func onFirstThread() bool { return syscall.Gettid() == syscall.Getpid() }
