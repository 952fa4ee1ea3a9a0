package wait

import (
	"context"
	"time"
)

// A Pause is for trying something again and again where nothing tells when it can succeed. It
// says how long to wait in between: First, and then twice as long each time, up to Most.
type Pause struct {
	First, Most time.Duration

	next time.Duration // 0 for First
}

// Sleep blocks for as long as it is time to wait, or until the scope of ctx is done.
func (p *Pause) Sleep(ctx context.Context) error {
	d := max(p.next, p.First)
	p.next = min(2*d, p.Most)
	return Sleep(ctx, After(d))
}

// Restart makes the next pause as short as the first: the last try has achieved something.
func (p *Pause) Restart() { p.next = 0 }
