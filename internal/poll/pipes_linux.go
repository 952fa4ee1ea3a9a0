package poll

import (
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// pipes is the pool of pipes for splice(2). A pipe in the pool is empty.
//
// When no pipe has been taken for a while, all in the pool are closed, so that a program that has
// stopped splicing has no more descriptors than before.
var pipes = pipePool{lingers: 100 * time.Millisecond}

type pipePool struct {
	mu      sync.Mutex
	lingers time.Duration // changed by tests only
	idle    []*splicePipe
	sweeps  bool // sweep is going to be called; always so if idle is not empty
	taken   bool // a pipe has been taken since the last sweep
}

type splicePipe struct{ read, write int }

const (
	// splicePipeSize is how much one call moves at most: the capacity that a pipe has from birth, with
	// pages of 4 KiB. The system limits how much more all pipes of a user can have.
	splicePipeSize = 64 << 10

	mostIdlePipes = 16
)

func (l *pipePool) take() (*splicePipe, error) {
	l.mu.Lock()
	l.taken = true
	if n := len(l.idle); n > 0 {
		p := l.idle[n-1]
		l.idle[n-1], l.idle = nil, l.idle[:n-1]
		l.mu.Unlock()
		return p, nil
	}
	l.mu.Unlock()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return nil, err
	}
	fds, err := pairAboveStdio(fds)
	if err != nil {
		return nil, err
	}
	return &splicePipe{fds[0], fds[1]}, nil
}

// put takes back p, which is empty. In a testing/synctest bubble it closes p: the timer for sweep
// would belong to the bubble.
func (l *pipePool) put(p *splicePipe) {
	if wait.InBubble() {
		p.close()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.idle) == mostIdlePipes {
		p.close()
		return
	}
	l.idle = append(l.idle, p)
	l.sweepLaterLocked()
}

func (l *pipePool) sweepLaterLocked() {
	if !l.sweeps {
		l.sweeps = true
		time.AfterFunc(l.lingers, l.sweep)
	}
}

func (l *pipePool) sweep() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweeps = false
	if !l.taken {
		for _, p := range l.idle {
			p.close()
		}
		l.idle = nil
	}
	l.taken = false
	if len(l.idle) > 0 {
		l.sweepLaterLocked()
	}
}

func (l *pipePool) has(fd int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.idle, func(p *splicePipe) bool { return p.read == fd || p.write == fd })
}

func (p *splicePipe) close() {
	syscall.Close(p.read)
	syscall.Close(p.write)
}
