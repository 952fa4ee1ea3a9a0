//go:build 386 || s390x

package poll

// Package syscall knows only socketcall(2) there, which came before these.
const (
	sysRecvmsg = 372
	sysSendmsg = 370
)
