package group

import (
	"context"

	"golang.org/x/sync/errgroup"
)

func fetch(ctx context.Context, name string) error { return ctx.Err() }

func all(ctx context.Context, names []string) error {
	g, ctx := errgroup.WithContext(ctx) // want `this errgroup can be a curio.Group, in which the functions are tasks`
	g.SetLimit(3)
	for _, name := range names {
		if name == "" {
			continue
		}
		g.Go(func() error { return fetch(ctx, name) })
	}
	return g.Wait()
}

func both(ctx context.Context) (string, error) {
	answer := ""
	group, inner := errgroup.WithContext(ctx) // want `this errgroup`
	group.Go(func() error {
		answer = "yes"
		return fetch(inner, "a")
	})
	if err := group.Wait(); err != nil {
		return "", err
	}
	return answer, fetch(ctx, "b")
}

func assigned(ctx context.Context) error {
	g, inner := errgroup.WithContext(ctx) // want `this errgroup`
	g.Go(func() error { return fetch(inner, "a") })
	err := g.Wait()
	return err
}

// These would need more than a fix can do.

func leaves(ctx context.Context, name string) error {
	g, ctx := errgroup.WithContext(ctx)
	if name == "" {
		return nil
	}
	g.Go(func() error { return fetch(ctx, name) })
	return g.Wait()
}

func given(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	start(g)
	return g.Wait()
}

func declared(ctx context.Context) (string, error) {
	g, ctx := errgroup.WithContext(ctx)
	answer := ""
	g.Go(func() error {
		answer = "yes"
		return fetch(ctx, "a")
	})
	err := g.Wait()
	return answer, err
}

func named(ctx context.Context, f func() error) error {
	g, _ := errgroup.WithContext(ctx)
	g.Go(f)
	return g.Wait()
}

func start(*errgroup.Group) {}
