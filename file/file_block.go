package file

import "sync"

// A block is memory for a worker, which the caller does not see. It is not given back before the system
// has let go of it.
type block struct {
	bytes []byte
	pool  *sync.Pool
	whole []byte
}

const (
	smallBlock  = 8 << 10
	mediumBlock = 64 << 10
)

var smallBlocks, mediumBlocks, largeBlocks = blocks(smallBlock), blocks(mediumBlock), blocks(piece)

func blocks(size int) *sync.Pool {
	pool := new(sync.Pool)
	pool.New = func() any { return &block{pool: pool, whole: make([]byte, size)} }
	return pool
}

// takeBlock returns a block of n bytes, which may be anything. n is piece at most.
func takeBlock(n int) *block {
	pool := largeBlocks
	switch {
	case n <= smallBlock:
		pool = smallBlocks
	case n <= mediumBlock:
		pool = mediumBlocks
	}
	b := pool.Get().(*block)
	b.bytes = b.whole[:n]
	return b
}

func (b *block) free() {
	b.bytes = nil
	b.pool.Put(b)
}
