//go:build darwin || freebsd

package socket

import "syscall"

const soReusePort = syscall.SO_REUSEPORT

// maxBacklog is -1, from which listen(2) makes the longest queue that it grants.
func maxBacklog() int { return -1 }

// msgErrqueue is a flag of Linux.
const msgErrqueue = 0
