package process

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

// Leads reports whether p has a worker that is idle.
func (p *Pool) Idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}
