package socket

import "syscall"

// soLinger counts in seconds. macOS takes what is given with SO_LINGER for ticks.
const soLinger = syscall.SO_LINGER_SEC
