package stream

import (
	"sync"

	"github.com/curio-go/curio/socket"
)

// bufferSize is how much is received at once, and how much is gathered before it is
// sent.
const bufferSize = 16 << 10

var pool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func takeBlock() []byte { return pool.Get().(*[bufferSize]byte)[:] }

// giveBlock is also for blocks that were not taken from the pool.
func giveBlock(block []byte) {
	if len(block) == bufferSize {
		pool.Put((*[bufferSize]byte)(block))
	}
}

// A buffer is a queue of bytes, which are block[from:to]. It has a block only while it is
// not empty, or between space and added: so who waits with an empty one holds no memory.
// Its zero value is empty.
type buffer struct {
	block    []byte
	from, to int
	loan     *socket.Buffer // whose bytes block is; nil if it is our own
}

// hold makes what a socket has received the contents of an empty buffer.
func (b *buffer) hold(loan *socket.Buffer) {
	b.loan, b.block = loan, loan.Bytes()
	b.from, b.to = 0, len(b.block)
}

// free gives the block back to where it comes from.
func (b *buffer) free() {
	if b.loan != nil {
		b.loan.Release()
	} else {
		giveBlock(b.block)
	}
}

func (b *buffer) len() int { return b.to - b.from }

func (b *buffer) bytes() []byte { return b.block[b.from:b.to] }

// space returns room for more, to be followed by added. If more than half of the block is
// in use it is doubled, and else what there is is moved to its start: so each byte is
// moved a few times at most.
func (b *buffer) space() []byte {
	switch n := b.len(); {
	case b.block == nil:
		b.block = takeBlock()
	case b.to < len(b.block):
	case n > len(b.block)/2:
		larger := make([]byte, max(2*len(b.block), bufferSize))
		copy(larger, b.bytes())
		b.free()
		*b = buffer{block: larger, to: n}
	default:
		copy(b.block, b.bytes())
		b.from, b.to = 0, n
	}
	return b.block[b.to:]
}

// added is told how much of the space has been filled.
func (b *buffer) added(n int) {
	b.to += n
	b.settle()
}

func appendTo[T string | []byte](b *buffer, p T) {
	for len(p) > 0 {
		n := copy(b.space(), p)
		b.added(n)
		p = p[n:]
	}
}

// cut takes back the last n bytes.
func (b *buffer) cut(n int) {
	b.to -= n
	b.settle()
}

// drop takes off the first n bytes.
func (b *buffer) drop(n int) {
	b.from += n
	b.settle()
}

// take moves as much as fits into p.
func (b *buffer) take(p []byte) int {
	n := copy(p, b.bytes())
	b.drop(n)
	return n
}

func (b *buffer) settle() {
	if b.from == b.to && b.block != nil {
		b.free()
		*b = buffer{}
	}
}
