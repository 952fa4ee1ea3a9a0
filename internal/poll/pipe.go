package poll

import (
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Pipe has in it what SpliceIn has taken out of a socket, and SpliceOut puts into another one. It
// belongs to one goroutine at a time, and is empty while it belongs to none.
type Pipe struct {
	pipeEnds
	n       int           // how many bytes are in it
	moved   *atomic.Int64 // of SpliceOut
	cleanup runtime.Cleanup
}

type pipeEnds struct{ r, w int }

func (p pipeEnds) close() {
	forgetPipe(p)
	syscall.Close(p.r)
	syscall.Close(p.w)
}

// maxPipes is how many pipes there may be. Each costs two descriptors, which the program has other
// uses for, and of the memory that the system lets a user have in pipes. A receiver that is slow keeps
// one for long. When there are no more, bytes are copied through the program.
const maxPipes = 64

var (
	pipesMu sync.Mutex
	pipes   []pipeEnds // all there are

	// idlePipes are those that nobody uses. The collector empties the pool, and then closes them.
	idlePipes sync.Pool
)

// takePipe returns an empty pipe, or nil if there is none to be had.
func takePipe() *Pipe {
	if p, ok := idlePipes.Get().(*Pipe); ok {
		return p
	}
	pipesMu.Lock()
	defer pipesMu.Unlock()
	if len(pipes) == maxPipes {
		return nil
	}
	ends, err := newPipe()
	if err != nil { // such as EMFILE
		return nil
	}
	pipes = append(pipes, ends)
	p := &Pipe{pipeEnds: ends}
	p.cleanup = runtime.AddCleanup(p, pipeEnds.close, ends)
	return p
}

func forgetPipe(p pipeEnds) {
	pipesMu.Lock()
	defer pipesMu.Unlock()
	pipes = slices.DeleteFunc(pipes, func(q pipeEnds) bool { return q == p })
}

// Release gives the pipe back. What is in it is lost: see Drain.
func (p *Pipe) Release() {
	if p.n > 0 {
		p.cleanup.Stop()
		p.close()
		return
	}
	idlePipes.Put(p)
}

// Len returns how many bytes are in the pipe.
func (p *Pipe) Len() int { return p.n }

// Drain takes out what is in the pipe. The result is never nil.
func (p *Pipe) Drain() ([]byte, error) {
	data := make([]byte, p.n)
	for got := 0; p.n > 0; {
		n, errno := read(p.r, data[got:])
		switch {
		case errno != 0: // it cannot be: nobody else has the pipe
			return data[:got], errno
		case n == 0:
			return data[:got], io.ErrUnexpectedEOF
		}
		got, p.n = got+n, p.n-n
	}
	return data, nil
}

// Pipes returns how many pipes there are, for tests.
func Pipes() int {
	pipesMu.Lock()
	defer pipesMu.Unlock()
	return len(pipes)
}

// IsOwn reports whether fd is a descriptor that this package has for itself, of a poller or a pipe.
// Those come and go. It is for tests that look for descriptors that were left open.
func IsOwn(fd int) bool {
	pipesMu.Lock()
	defer pipesMu.Unlock()
	return IsPollers(fd) || slices.Contains(kept, fd) || slices.ContainsFunc(pipes, func(p pipeEnds) bool { return p.r == fd || p.w == fd })
}

// kept are descriptors that other internal packages have for as long as the process lasts. Guarded by pipesMu.
var kept []int

// Keep says that fd stays open for as long as the process lasts, so that IsOwn knows it.
func Keep(fd int) {
	pipesMu.Lock()
	defer pipesMu.Unlock()
	kept = append(kept, fd)
}
