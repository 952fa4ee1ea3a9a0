//go:build linux && (386 || s390x)

package poll

// Package syscall knows only socketcall(2) there, which came before these.
const (
	sysBind        = 361
	sysConnect     = 362
	sysAccept4     = 364
	sysGetsockname = 367
	sysGetpeername = 368
	sysSendmsg     = 370
	sysRecvmsg     = 372
)
