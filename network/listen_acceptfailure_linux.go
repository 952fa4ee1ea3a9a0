package network

import "syscall"

// noNetwork has the errno that Linux alone returns when the network is missing.
var noNetwork = []syscall.Errno{syscall.ENONET}
