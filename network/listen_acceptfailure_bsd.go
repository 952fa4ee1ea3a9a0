//go:build darwin || freebsd

package network

import "syscall"

var noNetwork []syscall.Errno
