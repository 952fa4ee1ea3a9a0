//go:build linux && (386 || s390x)

package poll

// On these systems, package syscall has only socketcall(2), which is older than these
// calls.
const (
	sysBind        = 361
	sysConnect     = 362
	sysAccept4     = 364
	sysGetsockname = 367
	sysGetpeername = 368
	sysSendmsg     = 370
	sysRecvmsg     = 372
)
