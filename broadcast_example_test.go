package curio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/curio-go/curio"
)

// A clock that several displays follow: each of them sees every tick.
func ExampleBroadcast() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var ticks curio.Broadcast[int]
		display := func(name string) *curio.Task[string] {
			seen := ticks.Subscribe(ctx, 10, curio.SlowWait) // before the task starts, so that it misses nothing
			return curio.Spawn(ctx, func(ctx context.Context) (string, error) {
				defer seen.Close()
				var text strings.Builder
				text.WriteString(name + ":")
				for tick, err := range seen.All(ctx) {
					if err != nil {
						return "", err
					}
					text.WriteString(fmt.Sprint(" ", tick))
				}
				return text.String(), nil
			})
		}
		one, other := display("hall"), display("kitchen")
		for tick := range 3 {
			if err := ticks.Send(ctx, tick); err != nil {
				return err
			}
		}
		ticks.Close()
		for _, d := range []*curio.Task[string]{one, other} {
			text, err := d.Join(ctx)
			if err != nil {
				return err
			}
			fmt.Println(text)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// hall: 0 1 2
	// kitchen: 0 1 2
	// <nil>
}

// A subscriber that would rather miss values than hold up the others.
func ExampleBroadcast_Subscribe() {
	ctx := context.Background()
	var prices curio.Broadcast[int]
	s := prices.Subscribe(ctx, 2, curio.SlowSkip)
	defer s.Close()
	for price := range 5 {
		_ = prices.Send(ctx, price)
	}
	prices.Close()
	for price, err := range s.All(ctx) {
		if lagged, ok := errors.AsType[*curio.LaggedError](err); ok {
			fmt.Println("missed", lagged.Skipped)
			continue
		}
		fmt.Println(price, err)
	}
	// Output:
	// missed 3
	// 3 <nil>
	// 4 <nil>
}

// A worker that goes on with new settings as soon as there are any.
func ExampleWatch() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		var settings curio.Watch[string]
		settings.Set("quiet")
		applied := new(curio.Event)
		worker := curio.Go(ctx, func(ctx context.Context) error {
			for s, err := range settings.Changes(ctx) {
				if err != nil {
					return err
				}
				fmt.Println("works with", s)
				applied.Set()
				if s == "loud" {
					break
				}
			}
			return nil
		})
		if err := applied.Wait(ctx); err != nil {
			return err
		}
		settings.Set("loud")
		return worker.Wait(ctx)
	})
	fmt.Println(err)
	// Output:
	// works with quiet
	// works with loud
	// <nil>
}

// A task that names the version it has seen misses no change between two calls.
func ExampleWatch_Wait() {
	ctx := context.Background()
	var leader curio.Watch[string]
	leader.Set("ada")
	name, version := leader.Get()
	fmt.Println(name, version)
	leader.Set("ada") // nobody is waiting yet, and the value is the same
	name, version, err := leader.Wait(ctx, version)
	fmt.Println(name, version, err)
	// Output:
	// ada 1
	// ada 2 <nil>
}
