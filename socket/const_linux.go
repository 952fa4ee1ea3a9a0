package socket

import "syscall"

// Flags that only Linux has.
const (
	MSG_CONFIRM  = syscall.MSG_CONFIRM  // the neighbour has answered: do not ask whether it is there
	MSG_ERRQUEUE = syscall.MSG_ERRQUEUE // receive from the queue of errors
	MSG_MORE     = syscall.MSG_MORE     // more will be sent: hold this back to go with it
)

const msgErrqueue = MSG_ERRQUEUE
