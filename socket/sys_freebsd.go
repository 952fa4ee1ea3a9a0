package socket

import "syscall"

const soLinger = syscall.SO_LINGER
