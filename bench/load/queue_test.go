//go:build linux

package main

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestQueue compares the queue with a slice that does the same.
func TestQueue(t *testing.T) {
	const connections = 20
	source := rand.New(rand.NewPCG(3, 4))
	q := newQueue(connections)
	var naive []int
	for step := range 100_000 {
		i := source.IntN(connections)
		if at := slices.Index(naive, i); at >= 0 {
			q.remove(i)
			naive = slices.Delete(naive, at, at+1)
		} else {
			q.push(i)
			naive = append(naive, i)
		}
		want := -1
		if len(naive) > 0 {
			want = naive[0]
		}
		if got := q.oldest(); got != want {
			t.Fatalf("step %d: the oldest is %d, not %d", step, got, want)
		}
	}
}
