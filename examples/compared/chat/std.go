package chat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ServeStd runs a server until ctx is done, and returns an error that is ctx's.
func ServeStd(ctx context.Context, addr string, settings Settings, ready func(net.Addr)) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	defer listener.Close()
	ready(listener.Addr())

	killed, kill := context.WithCancel(context.WithoutCancel(ctx)) // after the grace time
	defer kill()
	room := &stdRoom{settings: settings, members: map[string]*stdMember{}}
	slots := make(chan struct{}, settings.MaxConnections)
	var clients sync.WaitGroup
	for ctx.Err() == nil {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		conn, err := listener.Accept()
		if err != nil {
			<-slots
			if ctx.Err() == nil { // out of descriptors, for example
				slog.Warn("cannot accept", "err", err)
				pause(ctx, 50*time.Millisecond)
			}
			continue
		}
		clients.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			defer context.AfterFunc(killed, func() { conn.Close() })()
			room.serve(ctx, conn)
		})
	}

	finished := make(chan struct{})
	go func() {
		clients.Wait()
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(settings.Grace):
		kill()
		<-finished
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

type stdRoom struct {
	settings Settings

	mu      sync.Mutex
	members map[string]*stdMember
}

type stdMember struct {
	inbox  chan string
	missed atomic.Int64 // lines for which the inbox had no room
}

func (r *stdRoom) join(name string) *stdMember {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[name] != nil || !goodName(name) {
		return nil
	}
	m := &stdMember{inbox: make(chan string, r.settings.Backlog)}
	r.members[name] = m
	return m
}

func (r *stdRoom) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.members[name].inbox) // tell does not send to it any more
	delete(r.members, name)
}

func (r *stdRoom) tell(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		select {
		case m.inbox <- line:
		default:
			m.missed.Add(1)
		}
	}
}

// A stdClient is a connection with an idle timeout and a limit for lines.
type stdClient struct {
	conn net.Conn
	in   *bufio.Reader
	idle time.Duration
}

// serve serves one client.
func (r *stdRoom) serve(ctx context.Context, conn net.Conn) {
	// The end of ctx interrupts reading, but not writing.
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })()
	c := &stdClient{conn, bufio.NewReaderSize(conn, r.settings.LineLimit), r.settings.Idle}
	if err := c.say(question); err != nil {
		return
	}
	line, err := c.readLine(ctx)
	if err != nil {
		return
	}
	name := clean(line)
	m := r.join(name)
	if m == nil {
		c.say(refusal)
		return
	}
	delivered := make(chan error, 1)
	go func() { delivered <- c.deliver(m) }()
	r.tell(fmt.Sprintf(hasJoined, name))
	err = r.listen(ctx, name, c)
	r.leave(name) // ends deliver, when it has sent what is in the inbox
	r.tell(fmt.Sprintf(hasLeft, name))
	if <-delivered != nil {
		return
	}
	switch {
	case ctx.Err() != nil:
		c.say(closing)
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.say(idle)
	}
}

// listen tells everybody what the client says, until it has gone or ctx is done.
func (r *stdRoom) listen(ctx context.Context, name string, c *stdClient) error {
	for {
		line, err := c.readLine(ctx)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			err = c.say(tooLong)
		case err == nil:
			r.tell(said(name, line))
		}
		if err != nil {
			return err
		}
	}
}

// deliver sends the client what is in its inbox, until that is closed. If it fails, it
// closes the connection, which ends listen.
func (c *stdClient) deliver(m *stdMember) error {
	for line := range m.inbox {
		err := c.say(line)
		if missed := m.missed.Swap(0); err == nil && missed > 0 {
			err = c.say(fmt.Sprintf(haveMissed, missed))
		}
		if err != nil {
			c.conn.Close()
			return err
		}
	}
	return nil
}

// say sends a line. Writes of a net.Conn are not mixed.
func (c *stdClient) say(line string) error {
	c.conn.SetWriteDeadline(time.Now().Add(c.idle))
	_, err := io.WriteString(c.conn, line+"\n")
	return err
}

// readLine reads a line. One that is too long is skipped, with the error
// bufio.ErrBufferFull.
func (c *stdClient) readLine(ctx context.Context) (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.idle))
	if err := ctx.Err(); err != nil { // this may have undone the deadline that its end has set
		return "", err
	}
	line, err := c.in.ReadSlice('\n')
	text, long := string(line), false
	for err == bufio.ErrBufferFull {
		_, err = c.in.ReadSlice('\n')
		long = true
	}
	switch {
	case err == nil && long:
		err = bufio.ErrBufferFull
	case err == io.EOF && !long && text != "":
		err = nil // the last line
	}
	return text, err
}
