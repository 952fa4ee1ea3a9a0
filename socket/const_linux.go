package socket

import "syscall"

// Flags that only Linux has.
const (
	MSG_CONFIRM  = syscall.MSG_CONFIRM  // the peer has answered: do not probe the neighbour
	MSG_ERRQUEUE = syscall.MSG_ERRQUEUE // receive from the error queue
	MSG_MORE     = syscall.MSG_MORE     // more data follows: hold this back until it comes
)

const msgErrqueue = MSG_ERRQUEUE
