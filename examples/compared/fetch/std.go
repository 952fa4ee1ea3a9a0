package fetch

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// FirstStd returns the pages in the order of urls, or the first failure.
func FirstStd(ctx context.Context, urls []string, settings Settings) ([][]byte, error) {
	pages := make([][]byte, len(urls))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(settings.Concurrency)
	for i, url := range urls {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			pages[i], err = settings.getStd(ctx, url)
			return err
		})
	}
	err := g.Wait()
	return pages, err
}

// AllStd returns the pages that can be got, in the order of urls, and every failure.
func AllStd(ctx context.Context, urls []string, settings Settings) ([][]byte, error) {
	pages := make([][]byte, len(urls))
	failures := make([]error, len(urls))
	var g errgroup.Group // without a context: a failure ends nothing
	g.SetLimit(settings.Concurrency)
	for i, url := range urls {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			pages[i], failures[i] = settings.getStd(ctx, url)
			return nil
		})
	}
	g.Wait()
	return pages, errors.Join(append(failures, ctx.Err())...)
}

func (s Settings) getStd(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return get(ctx, url, s.MaxBytes)
}
