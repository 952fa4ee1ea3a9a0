//go:build !(linux && (386 || s390x))

package poll

import "syscall"

const sysGetsockopt = syscall.SYS_GETSOCKOPT
