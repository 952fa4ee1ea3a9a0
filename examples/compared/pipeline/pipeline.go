// Package pipeline is a pipeline of three stages that drains, written twice: with Curio in
// curio.go, and with the standard library and errgroup in std.go.
//
// The first stage gets items, one after another. Several workers work on them. The last
// stage stores the results, one after another. No stage runs far ahead of the next one. When
// there are no more items, or when the pipeline is told to stop, what is under way is still
// worked on and stored. If a stage fails, all stages end.
package pipeline

import (
	"context"
	"time"
)

// Stages are the functions that a pipeline calls. They should return soon after their
// context is done.
type Stages[In, Out any] struct {
	Next  func(ctx context.Context) (In, error) // the next item, io.EOF if there are no more
	Work  func(ctx context.Context, item In) (Out, error)
	Store func(ctx context.Context, result Out) error
}

// Settings are the limits. All of them have to be set.
type Settings struct {
	Workers int
	Buffer  int           // items, and results, that wait for the next stage
	Grace   time.Duration // for what is under way when the pipeline is told to stop
}

// Default is for work that takes about a second.
var Default = Settings{Workers: 4, Buffer: 4, Grace: 8 * time.Second}
