package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/curio-go/curio"
)

// A crawler has two queues. What is yet to be visited is in frontier, which is unbounded:
// the workers both fill it and empty it, and with a bound they could all wait for room. At
// most mostPages go through it in all. What was found is in pages, which is bounded: if the
// reader is slow, the workers wait.
type crawler struct {
	timeout  time.Duration
	frontier curio.Queue[string]
	pages    *curio.Queue[page]

	lock curio.Lock
	seen map[string]bool // guarded by lock
}

// mostPages is the limit for the number of pages to visit: a site may have any number of
// them.
const mostPages = 10_000

type page struct {
	url  string
	late bool // it did not answer in time
}

// crawl counts the pages that start leads to, itself included.
func (c *crawler) crawl(ctx context.Context, start string, workers int) (answered, late int, err error) {
	defer http.DefaultClient.CloseIdleConnections()
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		for range workers {
			g.Spawn(func(ctx context.Context) (struct{}, error) { return struct{}{}, c.work(ctx) })
		}
		g.Spawn(func(ctx context.Context) (_ struct{}, err error) {
			answered, late, err = c.count(ctx)
			return struct{}{}, err
		}, curio.Name("reader"))
		if err := c.visit(ctx, start); err != nil {
			return err
		}
		if err := c.frontier.Join(ctx); err != nil { // a page is done when its links are in the frontier
			return err
		}
		c.frontier.Close()
		c.pages.Close()
		return nil
	})
	return answered, late, err
}

// count reads pages until there are no more.
func (c *crawler) count(ctx context.Context) (answered, late int, err error) {
	for p, err := range c.pages.All(ctx) {
		switch {
		case err != nil:
			return answered, late, err
		case p.late:
			late++
		default:
			answered++
		}
	}
	return answered, late, nil
}

// visit puts what has not been seen into the frontier.
func (c *crawler) visit(ctx context.Context, urls ...string) error {
	return c.lock.Do(ctx, func(ctx context.Context) error {
		for _, url := range urls {
			if c.seen[url] || len(c.seen) >= mostPages {
				continue
			}
			c.seen[url] = true
			if err := c.frontier.Put(ctx, url); err != nil {
				return err
			}
		}
		return nil
	})
}

// work fetches pages until the frontier is closed.
func (c *crawler) work(ctx context.Context) error {
	for url, err := range c.frontier.All(ctx) {
		if err != nil {
			return err
		}
		var links []string
		err := curio.TimeoutAfter(ctx, c.timeout, func(ctx context.Context) (err error) {
			links, err = fetch(ctx, url)
			return err
		})
		late := errors.Is(err, curio.ErrTaskTimeout)
		if err != nil && !late {
			return err
		}
		if err := c.visit(ctx, links...); err != nil {
			return err
		}
		if err := c.pages.Put(ctx, page{url, late}); err != nil {
			return err
		}
		c.frontier.TaskDone()
	}
	return nil
}
