package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// What ends a client's connection, or is wrong with a request.
var (
	errClosed    = errors.New("pipelined: the client is closed")
	errRequest   = errors.New("pipelined: the request is not one short line")
	errUnasked   = errors.New("pipelined: the server says something that nobody has asked for")
	errNoAnswer  = errors.New("pipelined: the server does not answer in time")
	errTruncated = errors.New("pipelined: the connection has ended in the middle of a reply")
)

// A config bounds what a client does. What is 0 has a default.
type config struct {
	// MaxInFlight is how many requests may be without a reply, including those whose callers have
	// given up. 1,000 by default.
	MaxInFlight int

	// MaxLine is how long a request or a reply may be, in bytes. 64 KiB by default.
	MaxLine int

	// Patience is how long the server may take to reply, or to accept a request. After that time, or
	// twice that time at most, the connection is given up. 30 s by default.
	Patience time.Duration
}

// A client sends requests on one connection, each a line, without waiting for the replies to earlier
// ones. The server replies in order, a line to each. All methods are safe for concurrent use.
//
// Two tasks in the background write and read. When one fails, the connection is closed, and all
// requests fail with the same error, later ones too. Make a new client then.
type client struct {
	config
	conn  network.Conn
	lines *stream.Stream
	task  *curio.Task[struct{}]

	slots    *curio.Semaphore    // a unit for each request in flight
	requests curio.Queue[*call]  // to be written; no more than there are slots
	ended    curio.Result[error] // why no reply comes any more

	mu      sync.Mutex
	replies []*call // whose replies are still to come, in order
}

// A call is one request.
type call struct {
	request string
	reply   curio.Result[string]
	state   atomic.Int32
	sent    time.Time // guarded by client.mu
}

// The states of a call. The goroutine that changes it from queued decides whether it is sent.
const (
	queued  int32 = iota
	taken         // by the writer: its reply will come, and is dropped if nobody waits for it
	dropped       // by its caller, before it was sent
)

// newClient makes a client on conn, which belongs to the client from now on. Its tasks belong to
// ctx's kernel and are daemons: they do not end with ctx, which may be that of one request or have a
// timeout, and they do not keep a program from ending. Close ends them.
func newClient(ctx context.Context, conn network.Conn, c config) *client {
	setDefault(&c.MaxInFlight, 1000)
	setDefault(&c.MaxLine, 64<<10)
	setDefault(&c.Patience, 30*time.Second)
	cl := &client{config: c, conn: conn, lines: stream.New(conn), slots: curio.NewSemaphore(int64(c.MaxInFlight))}
	cl.lines.SetLineLimit(c.MaxLine)
	cl.lines.SetWriteBuffer(32 << 10)
	cl.task = curio.Go(ctx, cl.run, curio.Daemon(), curio.Name("pipelined client"))
	if err := cl.task.Err(); err == curio.ErrKernelShutdown { // then run is not called
		cl.end(ctx, err)
	}
	return cl
}

func setDefault[T ~int | ~int64](to *T, v T) {
	if *to <= 0 {
		*to = v
	}
}

// Do sends a request and returns the reply, both without the end of the line. If ctx is done first,
// the error is ctx's error. The request may have been sent all the same; its reply is dropped when
// it comes, and takes up one of MaxInFlight until then.
func (c *client) Do(ctx context.Context, request string) (reply string, err error) {
	if len(request) >= c.MaxLine || strings.ContainsAny(request, "\r\n") {
		return "", errRequest // else it could be taken for two, and each reply after that for another's
	}
	if err := c.slots.Acquire(ctx); err != nil {
		return "", err
	}
	q := &call{request: request}
	if c.requests.TryPut(q) != nil { // it is closed; it is never full
		c.slots.Release(ctx)
		return "", c.why(ctx)
	}
	if err := q.reply.Wait(ctx); err != nil {
		q.state.CompareAndSwap(queued, dropped)
		return "", err
	}
	return q.reply.Get(context.Background()) // which it has, whatever has become of ctx
}

// why returns why the connection has ended. It is set before the queue is closed.
func (c *client) why(ctx context.Context) error {
	err, failed := c.ended.Get(context.WithoutCancel(ctx))
	if failed != nil {
		return failed
	}
	return err
}

// Close ends the connection. Requests without a reply fail. It waits until the tasks in the
// background have ended, which they do at once; if ctx is done first, the error is ctx's error, and
// they end all the same. It may be called more than once.
func (c *client) Close(ctx context.Context) error {
	_, err := c.task.Cancel(ctx)
	return err
}

// run is the task in the background. It reports its failure to the callers, and so returns nil:
// an error that a daemon returns is logged.
func (c *client) run(ctx context.Context) error {
	err := curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(c.write, curio.Name("writer"))
		g.Go(c.read, curio.Name("reader"))
		return nil
	})
	if curio.CheckCancellation(ctx) != nil {
		err = errClosed
	}
	c.end(ctx, err)
	return nil
}

// end closes the connection, and ends all calls that have no reply. Nobody writes or reads any
// more.
func (c *client) end(ctx context.Context, err error) {
	c.conn.Close()
	c.ended.SetValue(err)
	c.requests.Close()
	for {
		q, none := c.requests.TryGet()
		if none != nil {
			break
		}
		c.settle(ctx, q, "", err)
	}
	c.mu.Lock()
	left := c.replies
	c.replies = nil
	c.mu.Unlock()
	for _, q := range left {
		c.settle(ctx, q, "", err)
	}
}

// settle ends a call, and frees its slot.
func (c *client) settle(ctx context.Context, q *call, reply string, err error) {
	if err != nil {
		q.reply.SetError(err)
	} else {
		q.reply.SetValue(reply)
	}
	c.slots.Release(ctx)
}

// write sends requests as they come. It collects those that come while it writes, and sends what
// has been collected when no more are there.
func (c *client) write(ctx context.Context) error {
	for {
		q, err := c.requests.Get(ctx)
		for ; err == nil; q, err = c.requests.TryGet() {
			if err := c.writeOne(ctx, q); err != nil {
				return err
			}
		}
		if err != curio.ErrQueueEmpty {
			return err
		}
		if err := c.inTime(ctx, func(ctx context.Context) error { return c.lines.Flush(ctx) }); err != nil {
			return err
		}
	}
}

func (c *client) writeOne(ctx context.Context, q *call) error {
	if !q.state.CompareAndSwap(queued, taken) {
		c.slots.Release(ctx)
		return nil
	}
	c.mu.Lock()
	q.sent = curio.Clock(ctx)
	c.replies = append(c.replies, q) // before it is sent: the reply may come at once
	c.mu.Unlock()
	return c.inTime(ctx, func(ctx context.Context) error {
		_, err := c.lines.WriteString(ctx, q.request+"\n")
		return err
	})
}

// inTime calls send, and takes it as a failure of the server if it takes too long.
func (c *client) inTime(ctx context.Context, send func(ctx context.Context) error) error {
	err := curio.TimeoutAfter(ctx, c.Patience, send)
	if errors.Is(err, curio.ErrTaskTimeout) {
		return errNoAnswer
	}
	return err
}

// read receives replies, and gives each to the call that has waited longest.
func (c *client) read(ctx context.Context) error {
	for {
		line := ""
		expired, err := curio.IgnoreAfter(ctx, c.Patience, func(ctx context.Context) (err error) {
			line, err = c.lines.ReadLine(ctx) // which, when it expires, leaves half a line for the next
			return err
		})
		switch {
		case err == nil && !expired:
			if err := c.received(ctx, line); err != nil {
				return err
			}
		case err == nil:
			if c.late(curio.Clock(ctx)) {
				return errNoAnswer
			}
		case errors.Is(err, io.EOF):
			return fmt.Errorf("pipelined: the server has closed the connection: %w", io.ErrUnexpectedEOF)
		default:
			return err
		}
	}
}

// received gives a line to the oldest call.
func (c *client) received(ctx context.Context, line string) error {
	reply, complete := strings.CutSuffix(line, "\n")
	if !complete {
		return errTruncated
	}
	c.mu.Lock()
	if len(c.replies) == 0 {
		c.mu.Unlock()
		return errUnasked
	}
	q := c.replies[0]
	c.replies[0] = nil // or the array would keep it
	if c.replies = c.replies[1:]; len(c.replies) == 0 {
		c.replies = nil
	}
	c.mu.Unlock()
	c.settle(ctx, q, strings.TrimSuffix(reply, "\r"), nil)
	return nil
}

// late reports whether the oldest call has waited too long.
func (c *client) late(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.replies) > 0 && now.Sub(c.replies[0].sent) >= c.Patience
}
