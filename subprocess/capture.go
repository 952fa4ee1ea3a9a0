package subprocess

import "slices"

// defaultOutputLimit is Cmd.OutputLimit for 0.
const defaultOutputLimit = 64 << 20

// A capture keeps an output. If that has more than limit bytes, the capture keeps the beginning and the
// end, half each, and counts what it drops in between.
//
// data grows up to limit. After that, data[half:] is a ring, whose oldest byte is at oldest.
type capture struct {
	limit   int // negative for none
	data    []byte
	oldest  int
	dropped int64
}

func newCapture(limit int64) *capture {
	const maxInt = int(^uint(0) >> 1)
	c := &capture{limit: -1}
	switch {
	case limit == 0:
		c.limit = defaultOutputLimit
	case limit > 0 && limit < int64(maxInt):
		c.limit = int(limit)
	}
	c.oldest = c.half()
	return c
}

func (c *capture) half() int { return c.limit / 2 }

// room is the spare capacity, if it is worth a read. The first memory is for what has come: most
// programs say little.
func (c *capture) room() []byte {
	spare := c.data[len(c.data):cap(c.data)]
	if c.limit >= 0 {
		spare = spare[:min(len(spare), max(c.limit-len(c.data), 0))]
	}
	if len(spare) < pieceSize {
		return nil
	}
	return spare
}

func (c *capture) took(n int) { c.data = c.data[:len(c.data)+n] }

func (c *capture) write(p []byte) error {
	fits := len(p)
	if c.limit >= 0 {
		fits = min(fits, c.limit-len(c.data))
	}
	if fits > 0 {
		c.grow(fits)
		c.data = append(c.data, p[:fits]...)
	}
	c.overwrite(p[fits:])
	return nil
}

// grow makes room for n bytes, as much again as there is if that is more, but never more than the limit.
func (c *capture) grow(n int) {
	if cap(c.data)-len(c.data) >= n {
		return
	}
	more := max(n, len(c.data))
	if c.limit >= 0 {
		more = min(more, c.limit-len(c.data))
	}
	c.data = slices.Grow(c.data, more)
}

// overwrite puts p into the ring, which is full.
func (c *capture) overwrite(p []byte) {
	c.dropped += int64(len(p))
	ring := c.data[min(c.half(), len(c.data)):]
	if len(p) > len(ring) { // only its end stays, and the order does not matter
		c.oldest = c.half()
		p = p[len(p)-len(ring):]
	}
	for len(p) > 0 {
		n := copy(c.data[c.oldest:], p)
		p = p[n:]
		if c.oldest += n; c.oldest == len(c.data) {
			c.oldest = c.half()
		}
	}
}

// bytes returns what has been kept, in order. What comes later may change it.
func (c *capture) bytes() []byte {
	if c.dropped > 0 {
		return slices.Concat(c.data[:c.half()], c.data[c.oldest:], c.data[c.half():c.oldest])
	}
	return c.data[:len(c.data):len(c.data)]
}
