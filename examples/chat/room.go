package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// A room holds the members. Its zero value is an empty room; set patience before use.
type room struct {
	patience time.Duration // how long others wait for a member that lags behind

	mu      sync.Mutex
	members map[string]*member
}

// A member has an inbox, so that nobody waits for it while it keeps up. When the inbox is
// full, the senders wait until there is room, which holds up a member that says more than
// the others can read. But a member that lags behind has to read at least a full inbox
// within each patience, or it is thrown out: otherwise a member that does not read, or
// reads a word at a time, could silence everybody else.
type member struct {
	name  string
	conn  network.Conn
	inbox *curio.Queue[string]
	read  atomic.Int64 // how many lines have been sent to it

	mu    sync.Mutex
	lags  bool
	goal  int64     // what read must have reached
	until time.Time // by this time
}

// deliver sends m what is in its inbox, until that is closed and empty.
func (m *member) deliver(ctx context.Context, lines *stream.Stream) error {
	for text, err := range m.inbox.All(ctx) {
		if err != nil {
			return err
		}
		if _, err := lines.WriteString(ctx, text); err != nil {
			return err
		}
		m.read.Add(1)
	}
	return nil
}

// offer puts a line into m's inbox, if there is room.
func (m *member) offer(ctx context.Context, line string, patience time.Duration) bool {
	ok := m.inbox.TryPut(line) != curio.ErrQueueFull // if it is closed, m is leaving
	m.mu.Lock()
	defer m.mu.Unlock()
	if read := m.read.Load(); !ok && (!m.lags || read >= m.goal) {
		m.goal, m.until = read+backlog, curio.Clock(ctx).Add(patience)
	}
	m.lags = !ok
	return ok
}

// limit returns the time by which m must have read more.
func (m *member) limit() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.until
}

// join is false if the name cannot be had.
func (r *room) join(ctx context.Context, m *member) (bool, error) {
	r.mu.Lock()
	if r.members == nil {
		r.members = make(map[string]*member)
	}
	if !goodName(m.name) || r.members[m.name] != nil {
		r.mu.Unlock()
		return false, nil
	}
	_ = m.inbox.TryPut(fmt.Sprintf("* welcome, %s; others here: %d\n", m.name, len(r.members))) // it is empty
	r.members[m.name] = m
	r.mu.Unlock()
	return true, r.tell(ctx, m, "* "+m.name+" has joined")
}

// goodName refuses names that could be taken for something else, such as a line of the
// server's.
func goodName(name string) bool {
	return name != "" && len(name) <= longestName && !strings.ContainsAny(name, "*:")
}

func (r *room) leave(ctx context.Context, m *member) error {
	r.remove(m)
	return r.tell(ctx, m, "* "+m.name+" has left")
}

func (r *room) remove(m *member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members[m.name] == m {
		delete(r.members, m.name)
	}
}

func (r *room) others(than *member) (all []*member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m != than {
			all = append(all, m)
		}
	}
	return all
}

// tell puts a line into the inbox of everybody except from, and waits for those who lag
// behind, all at the same time. A member for whom that takes too long has to go: closing
// its connection ends everything that waits for it.
func (r *room) tell(ctx context.Context, from *member, line string) error {
	line += "\n"
	var lag []*member
	for _, m := range r.others(from) {
		if !m.offer(ctx, line, r.patience) {
			lag = append(lag, m)
		}
	}
	for _, m := range lag {
		late, err := curio.IgnoreAt(ctx, m.limit(), func(ctx context.Context) error { return m.inbox.Put(ctx, line) })
		switch {
		case errors.Is(err, curio.ErrQueueClosed): // m is leaving
		case err != nil:
			return err
		case late:
			r.remove(m)
			_ = m.conn.Close() // m may be leaving already
		}
	}
	return nil
}
