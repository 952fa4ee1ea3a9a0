// Crawler visits all pages of a site that a first page leads to, several at a time. The
// site is its own, on loopback; one of its pages never answers.
//
//	go run ./examples/crawler [-workers 8] [-timeout 1s]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/curio-go/curio"
)

func main() {
	workers := flag.Int("workers", 8, "how many pages are fetched at the same time")
	timeout := flag.Duration("timeout", time.Second, "for each page")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, site{100, 77}, *workers, *timeout)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// run serves the site and crawls it.
func run(ctx context.Context, out io.Writer, s site, workers int, timeout time.Duration) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// As a daemon the site is not cancelled together with those who read it, and that is
	// well: they would fail in ways of their own if it went away first.
	serving := curio.Go(ctx, func(ctx context.Context) error {
		return s.serve(ctx, listener)
	}, curio.Name("site"), curio.Daemon())
	defer serving.CancelNow()

	start := "http://" + listener.Addr().String() + "/1"
	fmt.Fprintln(out, "crawling from", start)
	c := &crawler{timeout: timeout, pages: curio.NewQueue[page](workers), seen: make(map[string]bool)}
	answered, late, err := c.crawl(ctx, start, workers)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "found %d pages, and %d that did not answer in time\n", answered, late)
	return err
}
