//go:build !(linux && (amd64 || arm64)) || race || msan || asan

package poll

import "syscall"

// recv and send are read(2) and write(2): where we do not make system calls by
// number, and under the race detector and the sanitizers, to which package syscall
// tells what a call has done. Without that, what one goroutine did before it
// sent would look unordered with what another does after it has received.

func recv(fd int, p []byte) (int, syscall.Errno) { return read(fd, p) }

func send(fd int, p []byte) (int, syscall.Errno) { return write(fd, p) }
