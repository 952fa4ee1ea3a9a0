package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	system "github.com/curio-go/curio/internal/process"
)

// A worker knows that it is one by a variable in its environment. That has the process id of its parent and
// says which socket it has as a descriptor. A program that has such a variable for another reason, because
// somebody has kept a worker's environment, does not have that socket, so it is an ordinary program. One
// that has the socket and another parent is a worker whose parent has just died.
//
// All this is decided before any package that imports this one is initialized: from then on nobody sees the
// variable, and no program that is started inherits the socket.

const (
	variable = "CURIO_PROCESS_WORKER"
	socketFD = 3 // of the worker's end of the link
)

var (
	startedAsWorker bool        // set by init
	parent          int         // the process id of a worker's parent, set by init
	serving         atomic.Bool // it is a worker, and has called Main
	reachedMain     atomic.Bool // it is no worker, and has called Main
)

func init() {
	mark, ok := os.LookupEnv(variable)
	if !ok {
		return
	}
	_ = os.Unsetenv(variable)
	number, socket, _ := strings.Cut(mark, ":")
	if socket == "" || socket != identify(socketFD) {
		return
	}
	startedAsWorker = true
	syscall.CloseOnExec(socketFD)
	_ = system.SignalAtParentsDeath(syscall.SIGHUP) // without it the end of the link has to do
	parent = os.Getppid()
	if number != strconv.Itoa(parent) { // it has died before that
		os.Exit(1)
	}
}

// markOf returns what the variable says in a worker of this process whose end of the link is the socket fd.
func markOf(fd int) string { return strconv.Itoa(os.Getpid()) + ":" + identify(fd) }

// identify returns what tells a socket from all others, "" if fd is none.
func identify(fd int) string {
	var s syscall.Stat_t
	for {
		switch err := syscall.Fstat(fd, &s); {
		case err == syscall.EINTR:
			continue
		case err != nil, s.Mode&syscall.S_IFMT != syscall.S_IFSOCK:
			return ""
		}
		return fmt.Sprintf("%d:%d", s.Dev, s.Ino)
	}
}

// refusal returns why this process may not call functions in workers, nil if it may.
func refusal() error {
	switch {
	case serving.Load():
		return ErrInWorker
	case !reachedMain.Load():
		return ErrNoMain // also in a worker: starting workers from there would never end
	}
	return nil
}
