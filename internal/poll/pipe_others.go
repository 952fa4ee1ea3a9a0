//go:build !linux

package poll

import "syscall"

// Only Linux has splice(2).

const pipeSize = 0

func newPipe() (pipeEnds, error) { return pipeEnds{}, syscall.ENOSYS }

var splice = func(from, to, n int) (int, syscall.Errno) { return 0, syscall.ENOSYS }
