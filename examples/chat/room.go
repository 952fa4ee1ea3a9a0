package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// A room is where the members are. Its zero value is empty.
type room struct {
	mu      sync.Mutex
	members map[string]*member
}

// A member has an inbox, so that nobody has to wait until it has read what he says. Who
// does not read at all has a full inbox in the end.
type member struct {
	name  string
	conn  network.Conn
	inbox *curio.Queue[string]
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
	}
	return nil
}

// join is false if the name cannot be had.
func (r *room) join(m *member) bool {
	r.mu.Lock()
	if r.members == nil {
		r.members = make(map[string]*member)
	}
	if m.name == "" || r.members[m.name] != nil {
		r.mu.Unlock()
		return false
	}
	_ = m.inbox.TryPut(fmt.Sprintf("* welcome, %s; others here: %d\n", m.name, len(r.members))) // it is empty
	r.members[m.name] = m
	r.mu.Unlock()
	r.tell(m, "* "+m.name+" has joined")
	return true
}

func (r *room) leave(m *member) {
	r.mu.Lock()
	if r.members[m.name] == m {
		delete(r.members, m.name)
	}
	r.mu.Unlock()
	r.tell(m, "* "+m.name+" has left")
}

// tell puts a line into the inbox of everybody but from. Whose inbox is full does not read
// and has to go: with the connection closed, everything that waits for him ends.
func (r *room) tell(from *member, line string) {
	var slow []*member
	r.mu.Lock()
	for _, m := range r.members {
		if m != from && m.inbox.TryPut(line+"\n") == curio.ErrQueueFull {
			slow = append(slow, m)
			delete(r.members, m.name)
		}
	}
	r.mu.Unlock()
	for _, m := range slow {
		_ = m.conn.Close() // he may be just leaving
	}
}
