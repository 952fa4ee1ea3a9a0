package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
)

const largest = 1_000_000_000_000 // a number that is factored in a few milliseconds

// consume factors the numbers that the producer sends, until the producer has gone.
func consume(ctx context.Context, s *settings, cfg *channel.Config) error {
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	err := connectAndWork(ctx, waiting, os.Stdout, s, cfg)
	if errors.Is(err, curio.ErrStopping) {
		return nil
	}
	return err
}

// connectAndWork waits for what is to come with the context waiting, and for everything else with ctx.
func connectAndWork(ctx, waiting context.Context, out io.Writer, s *settings, cfg *channel.Config) error {
	var conn *channel.Conn
	if err := curio.TimeoutAfter(waiting, s.patience, func(ctx context.Context) (err error) {
		conn, err = channel.Connect(ctx, "tcp", s.addr, cfg) // waits until the producer is there
		return err
	}); err != nil {
		return err
	}
	defer conn.Close()
	for {
		var it item
		err := curio.TimeoutAfter(waiting, s.idle, func(ctx context.Context) error { return conn.Recv(ctx, &it) })
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case it.Number < 2 || it.Number > largest:
			return fmt.Errorf("the producer wants the factors of %d", it.Number)
		}
		fmt.Fprintln(out, "factoring", it.Number)
		if err := curio.Sleep(ctx, s.pace); err != nil {
			return err
		}
		if err := curio.TimeoutAfter(ctx, s.idle, func(ctx context.Context) error {
			return conn.Send(ctx, answer{ID: it.ID, Factors: factor(it.Number)})
		}); err != nil {
			return err
		}
	}
}

// factor returns the prime factors of n, which is at least 2, in order.
func factor(n int64) (factors []int64) {
	for f := int64(2); f*f <= n; f++ {
		for n%f == 0 {
			factors = append(factors, f)
			n /= f
		}
	}
	if n > 1 {
		factors = append(factors, n)
	}
	return factors
}
