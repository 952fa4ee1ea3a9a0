package poll

import "syscall"

const (
	noSignal     = syscall.MSG_NOSIGNAL
	closedOnExec = syscall.MSG_CMSG_CLOEXEC
)
