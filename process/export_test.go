package process

import (
	"testing"
	"time"
)

// ShortLastWords makes what is waited for after a worker's end wait for less.
func ShortLastWords(t testing.TB) {
	before := lastWords
	lastWords = 50 * time.Millisecond
	t.Cleanup(func() { lastWords = before })
}

// Pools returns how many kernels have a pool.
func Pools() int {
	kernelPools.mu.Lock()
	defer kernelPools.mu.Unlock()
	return len(kernelPools.pools)
}

// Waiting returns how many callers wait for a worker of p.
func (p *Pool) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line.Len()
}

// Answered reports whether a call of p has its answer, which the caller has not taken.
func Answered(p *Pool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.workers {
		if c := w.call; c != nil {
			c.mu.Lock()
			answered := c.last
			c.mu.Unlock()
			if answered {
				return true
			}
		}
	}
	return false
}

// Renumber makes n the number of the last call of each worker of p.
func Renumber(p *Pool, n uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.workers {
		w.number = n
	}
}
