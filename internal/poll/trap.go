//go:build !(linux && (386 || s390x))

package poll

import "syscall"

const (
	sysRecvmsg = syscall.SYS_RECVMSG
	sysSendmsg = syscall.SYS_SENDMSG
)
