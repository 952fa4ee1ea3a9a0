//go:build linux

package main

// A queue holds connections that wait for an echo, the longest waiting first.
// Any of them can leave. It is a doubly linked ring of indexes, not of
// pointers, which the collector would have to follow; links[0] is where the
// ring begins and ends, and connection i is links[i+1].
type queue struct {
	links []link
}

type link struct{ older, newer int32 }

func newQueue(connections int) queue {
	return queue{links: make([]link, connections+1)}
}

// oldest returns the connection that has waited longest, or -1.
func (q *queue) oldest() int { return int(q.links[0].newer) - 1 }

// push appends connection i, which must not be in the queue.
func (q *queue) push(i int) {
	this, newest := int32(i+1), q.links[0].older
	q.links[this] = link{older: newest, newer: 0}
	q.links[newest].newer = this
	q.links[0].older = this
}

// remove takes out connection i, which must be in the queue.
func (q *queue) remove(i int) {
	l := q.links[i+1]
	q.links[l.older].newer = l.newer
	q.links[l.newer].older = l.older
}
