package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/stream"
)

const (
	greetingTime = 10 * time.Second
	maxStrangers = 10 // connections whose first message is awaited
	pause        = 100 * time.Millisecond
)

var config = channel.Config{MaxMessage: 8 << 10}

// A message is what members send each other. The first one has a name, and each later one a text.
type message struct {
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
}

// A chat is what one member has: a channel with each other one. Of two members the one whose name comes
// first listens, and the other one connects.
type chat struct {
	me       string
	others   []string
	dir      string
	patience time.Duration
	out      io.Writer

	mu    sync.Mutex
	links map[string]*channel.Conn // the members who are there
}

func (c *chat) socket(name string) string { return filepath.Join(c.dir, name) }

// run sends the lines to the others, until there are no more.
func (c *chat) run(ctx context.Context, lines *stream.Stream) error {
	lines.SetLineLimit(longest)
	l, err := channel.Listen(ctx, "unix", c.socket(c.me), &config)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := c.print(ctx, "* you are "+c.me); err != nil {
		return err
	}
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		linking := []*curio.Task[struct{}]{
			g.Go(func(ctx context.Context) error { return c.listen(ctx, l) }, curio.Name("listen")),
		}
		for _, name := range c.others {
			if name < c.me {
				linking = append(linking, g.Go(func(ctx context.Context) error { return c.call(ctx, name) }, curio.Name("call "+name)))
			}
		}
		for line, err := range lines.Lines(ctx) {
			if err != nil {
				return err
			}
			if err := c.tell(ctx, clean(line)); err != nil {
				return err
			}
		}
		for _, t := range linking {
			if _, err := t.Cancel(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// print writes a line to the screen, which may be stopped by Ctrl-S, and may be a pipe of which others hold
// an end: its mode is left alone.
func (c *chat) print(ctx context.Context, line string) error {
	_, err := curio.RunInThread(ctx, func() (int, error) { return io.WriteString(c.out, line+"\n") }, func(int, error) {})
	return err
}

// clean removes everything from a line that is not text, such as control sequences for a terminal.
func clean(line string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line))
}

// listen lets members in.
func (c *chat) listen(ctx context.Context, l *channel.Listener) error {
	strangers := curio.NewSemaphore(maxStrangers)
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for {
			if err := strangers.Acquire(ctx); err != nil {
				return err
			}
			conn, err := l.Accept(ctx)
			if err != nil {
				strangers.Release(ctx)
				return err
			}
			g.Go(func(ctx context.Context) error {
				defer conn.Close()
				name, err := c.greet(ctx, conn)
				strangers.Release(ctx)
				if err != nil || name <= c.me || !slices.Contains(c.others, name) {
					return nil // somebody else, or it has gone already
				}
				return c.talk(ctx, name, conn)
			}, curio.Daemon(), curio.Name("member"))
		}
	})
}

// call has a channel with a member that listens, and a new one each time that the member comes back.
func (c *chat) call(ctx context.Context, name string) error {
	for {
		conn, err := channel.Connect(ctx, "unix", c.socket(name), &config) // waits until it is there
		if err != nil {
			return err
		}
		if err := c.callOnce(ctx, name, conn); err != nil {
			return err
		}
		if err := curio.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func (c *chat) callOnce(ctx context.Context, name string, conn *channel.Conn) error {
	defer conn.Close()
	switch is, err := c.greet(ctx, conn); {
	case err != nil: // it has just gone, or ctx is done, which talk would find out too
		return curio.CheckCancellation(ctx)
	case is != name:
		return fmt.Errorf("%s says that its name is %q", c.socket(name), is)
	}
	return c.talk(ctx, name, conn)
}

// greet tells the name of this member and returns the other one's.
func (c *chat) greet(ctx context.Context, conn *channel.Conn) (name string, err error) {
	err = curio.TimeoutAfter(ctx, greetingTime, func(ctx context.Context) error {
		if err := conn.Send(ctx, message{Name: c.me}); err != nil {
			return err
		}
		var m message
		err := conn.Recv(ctx, &m)
		name = m.Name
		return err
	})
	return name, err
}

// talk is for as long as a member is there.
func (c *chat) talk(ctx context.Context, name string, conn *channel.Conn) error {
	c.mu.Lock()
	if c.links == nil {
		c.links = make(map[string]*channel.Conn)
	}
	before := c.links[name]
	c.links[name] = conn
	c.mu.Unlock()
	if before != nil { // it has come back before we heard that it had gone
		_ = before.Close()
	}
	err := c.hear(ctx, name, conn)
	c.mu.Lock()
	if c.links[name] == conn {
		delete(c.links, name)
	}
	c.mu.Unlock()
	return err
}

// hear prints what a member says, until it goes.
func (c *chat) hear(ctx context.Context, name string, conn *channel.Conn) error {
	if err := c.print(ctx, "* "+name+" is here"); err != nil {
		return err
	}
	for {
		var m message
		if err := conn.Recv(ctx, &m); err != nil {
			if cancelled := curio.CheckCancellation(ctx); cancelled != nil {
				return cancelled
			}
			return c.print(ctx, "* "+name+" has gone")
		}
		if err := c.print(ctx, name+": "+clean(m.Text)); err != nil {
			return err
		}
	}
}

// tell sends a line to all who are there, at the same time. The channel of a member for whom that takes
// too long is closed, as is every one on which half a message has been sent.
func (c *chat) tell(ctx context.Context, line string) error {
	if line == "" {
		return nil
	}
	c.mu.Lock()
	links := make([]*channel.Conn, 0, len(c.links))
	for _, conn := range c.links {
		links = append(links, conn)
	}
	c.mu.Unlock()
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		for _, conn := range links {
			g.Go(func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, c.patience, func(ctx context.Context) error {
					return conn.Send(ctx, message{Text: line})
				})
				if err != nil {
					_ = conn.Close() // talk hears of it, and so does the member if it is still there
				}
				return curio.CheckCancellation(ctx)
			}, curio.Name("tell"))
		}
		return nil
	})
}
