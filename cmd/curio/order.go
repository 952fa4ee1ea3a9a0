package main

import (
	"cmp"
	"strings"
)

// An order is a way to sort tasks. Tasks that are equal in it are sorted by age.
type order struct {
	name    string
	compare func(a, b *task) int
}

// orders are the ways to sort: the first is by age, the oldest first.
var orders = []order{
	{"age", func(a, b *task) int { return 0 }},
	{"waiting", func(a, b *task) int { return cmp.Compare(waitingSince(b), waitingSince(a)) }},
	{"cycles", func(a, b *task) int { return cmp.Compare(b.Cycles, a.Cycles) }},
	{"state", func(a, b *task) int { return strings.Compare(a.State, b.State) }},
	{"name", func(a, b *task) int { return strings.Compare(cmp.Or(a.Path, a.Name), cmp.Or(b.Path, b.Name)) }},
}

func (o order) comparing(reverse bool) func(a, b *task) int {
	return func(a, b *task) int {
		by := cmp.Or(o.compare(a, b), cmp.Compare(a.ID, b.ID))
		if reverse {
			return -by
		}
		return by
	}
}

// waitingSince is how long a task has waited; a task that does not wait comes after all others.
func waitingSince(t *task) float64 {
	if t.Waiting == nil {
		return -1
	}
	return *t.Waiting
}

// orderNamed returns the order with the name.
func orderNamed(name string) (order, bool) {
	for _, o := range orders {
		if o.name == name {
			return o, true
		}
	}
	return order{}, false
}

func orderNames() string {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = o.name
	}
	return strings.Join(names, ", ")
}
