package poll

import "syscall"

const sysSendmmsg = syscall.SYS_SENDMMSG
