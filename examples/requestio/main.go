// Requestio uses a blocking HTTP client that takes no context, in tasks that can be cancelled and timed out. Each call runs
// in a thread. A call that is given up goes on there, and what it returns too late is closed. The site is its own, on
// loopback, and one of its pages never answers.
//
//	go run ./examples/requestio [-timeout 1s] [-callers 4]
//
// Package net/http takes a context, so a program of your own should pass it (see crawler). This is for the client
// libraries that take none.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/curio-go/curio"
)

const (
	longestPage  = 1 << 20         // bytes of a page that are read
	settleWithin = 5 * time.Second // for calls that were given up, at the end
)

func main() {
	timeout := flag.Duration("timeout", time.Second, "for each page")
	callers := flag.Int64("callers", 4, "how many calls of the library there may be at a time")
	flag.Parse()
	if *timeout <= 0 || *callers < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return run(ctx, os.Stdout, *timeout, *callers)
	}, curio.StopOnSignals()))
}

// A library is the blocking client. It bears only a limited number of callers.
type library struct {
	client  *http.Client
	callers *curio.Semaphore
}

// get returns a page. The context reaches the task that waits, and not the call.
func (l *library) get(ctx context.Context, url string) (string, error) {
	response, err := curio.RunInThreadLimited(ctx, l.callers, func() (*http.Response, error) {
		return l.client.Get(url)
	}, func(response *http.Response, err error) {
		if err == nil {
			response.Body.Close() // came too late
		}
	})
	if err != nil {
		return "", err
	}
	// The body is read in a thread as well. If that is given up, closing the body ends it.
	defer response.Body.Close()
	text, err := curio.RunInThreadLimited(ctx, l.callers, func() ([]byte, error) {
		return io.ReadAll(io.LimitReader(response.Body, longestPage))
	}, func([]byte, error) {})
	return string(text), err
}

func run(ctx context.Context, out io.Writer, timeout time.Duration, callers int64) (err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	s := &http.Server{Handler: site(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	serving := curio.Go(ctx, func(context.Context) error {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}, curio.Name("site"), curio.Daemon())
	defer serving.CancelNow()
	transport := &http.Transport{}
	defer func() { err = errors.Join(err, settle(ctx)) }()
	defer transport.CloseIdleConnections()
	defer s.Close() // which also ends the calls that were given up
	l := &library{&http.Client{Transport: transport}, curio.NewSemaphore(callers)}

	base := "http://" + listener.Addr().String()
	fmt.Fprintln(out, "asking", base)
	pages := []string{"/news", "/silent", "/weather"}
	answers, err := curio.Map(ctx, pages, func(ctx context.Context, page string) (text string, err error) {
		late, err := curio.IgnoreAfter(ctx, timeout, func(ctx context.Context) error {
			text, err = l.get(ctx, base+page)
			return err
		})
		if late && err == nil {
			text = "no answer in time"
		}
		return text, err
	})
	if err != nil {
		return err
	}
	for i, page := range pages {
		fmt.Fprintf(out, "%s: %s\n", page, answers[i])
	}
	return nil
}

// settle waits for the calls that were given up. They end soon, as the site is closed. Calls of a foreign site may hang for
// long; then the kernel logs them at its end, and the program ends all the same.
func settle(ctx context.Context) error {
	return curio.DisableCancellation(ctx, func(ctx context.Context) error {
		_, err := curio.IgnoreAfter(ctx, settleWithin, func(ctx context.Context) error {
			for len(curio.KernelOf(ctx).ThreadCalls()) > 0 {
				if err := curio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
}

// site answers all requests but one.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /{page}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "this is the page %q", r.PathValue("page"))
	})
	return mux
}
