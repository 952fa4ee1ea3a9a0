package poll

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/curio-go/curio/internal/wait"
)

// A Watch looks out for a foreign descriptor on behalf of a node of a choice, which it claims
// and wakes when a read, or a write, of the descriptor may not wait any more. That is not
// certain: FDReady has the last word.
type Watch struct {
	stop func()
	err  error // why it cannot watch; written before the node is claimed
}

// WatchFD begins a watch. w must not be on the list of another object.
func WatchFD(fd int, write bool, w *wait.Waiter) *Watch {
	if watch := watchByPoller(fd, write, w); watch != nil {
		return watch
	}
	return watchByGoroutine(fd, write, w)
}

// Stop ends the watch: after that it does not refer to its node. It returns the error for
// which the descriptor could not be watched.
func (x *Watch) Stop() error {
	x.stop()
	return x.err
}

// watchByGoroutine is WatchFD where no poller of ours can do it.
func watchByGoroutine(fd int, write bool, w *wait.Waiter) *Watch {
	x := new(Watch)
	scope := wait.NewTimeout(context.Background(), 0)
	ended := make(chan struct{})
	var stopped atomic.Bool
	go func() {
		defer close(ended)
		err := WaitFD(scope, fd, write)
		if stopped.Load() {
			return
		}
		x.err = err
		if w.Grant() {
			w.Wake()
		}
	}()
	x.stop = func() {
		stopped.Store(true)
		scope.Close()
		<-ended
	}
	return x
}

// FDReady reports whether a read, or a write, of a foreign descriptor would not wait.
func FDReady(fd int, write bool) (bool, error) {
	ready, errno := foreignReady(fd, write)
	if errno != 0 {
		return false, fmt.Errorf("%v: %w", foreign(fd), os.NewSyscallError("poll", errno))
	}
	return ready, nil
}

// Foreign is a foreign descriptor, for monitoring.
func Foreign(fd int) fmt.Stringer { return foreign(fd) }
