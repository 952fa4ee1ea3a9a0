package network

import "syscall"

// noNetwork is an errno of Linux for a network that is not there.
var noNetwork = []syscall.Errno{syscall.ENONET}
