// Httpserver is package net/http on a listener of Curio's. The handler of each request is
// a task, which /tasks shows with what it waits for, and which is cancelled when its client
// goes away. On Ctrl-C, the requests in progress may go on for up to eight seconds, as Docker kills after
// ten; a second Ctrl-C cancels them.
//
//	go run ./examples/httpserver [-addr HOST:PORT] [-grace 8s] [-patience 10s]
//	curl http://127.0.0.1:8080/
//	curl http://127.0.0.1:8080/sleep?for=5s & curl http://127.0.0.1:8080/tasks
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/httptask"
	"github.com/curio-go/curio/network"
)

// The limits for a client, on the open internet.
const (
	maxConnections = 1000
	maxHeader      = 64 << 10    // bytes
	bodyWithin     = time.Minute // to send the whole request
	answerWithin   = time.Minute // to receive the whole answer
	idleFor        = time.Minute // between two requests
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`HOST:PORT` to listen on")
	grace := flag.Duration("grace", 8*time.Second, "how long requests may go on after Ctrl-C")
	patience := flag.Duration("patience", 10*time.Second, "how long a client may take to send the header of a request")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{MaxConnections: maxConnections})
		if err != nil {
			return err
		}
		server := &http.Server{
			Handler:           httptask.Handler(routes(curio.KernelOf(ctx))),
			ReadHeaderTimeout: *patience,
			ReadTimeout:       bodyWithin,
			WriteTimeout:      answerWithin,
			IdleTimeout:       idleFor,
			MaxHeaderBytes:    maxHeader,
		}
		return serve(ctx, listener, server)
	}, curio.StopOnSignals(), curio.Grace(*grace))
	curio.Exit(err)
}

// serve serves until it is asked to stop, and then lets the requests in progress end, for as long as
// ctx is not done: until the grace time is over, or a second signal has come.
func serve(ctx context.Context, listener *network.Listener, server *http.Server) error {
	server.BaseContext = func(net.Listener) context.Context { return ctx } // the requests' tasks belong to ctx
	// ctx bounds the connections, and not that of the task, which ends before they do.
	accepting := network.NetListener(ctx, listener)
	task := curio.Go(ctx, func(context.Context) error { return server.Serve(accepting) }, curio.Name("serve"))
	fmt.Println("listening on", listener.LocalAddr())

	serving, cancel := curio.UntilStop(ctx)
	defer cancel()
	_ = task.Wait(serving) // ends before the stop if the listener has failed
	if err := server.Shutdown(ctx); err != nil {
		server.Close() // which cancels the requests that are left
	}
	_, err := task.Join(context.Background())
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func routes(kernel *curio.Kernel) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello from task %q\n", curio.CurrentTask(r.Context()).Name())
	})
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(body)
	})
	mux.HandleFunc("GET /sleep", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		// This answer begins later, but may not take longer to receive.
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + answerWithin)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := curio.Sleep(r.Context(), d); err != nil {
			fmt.Println("cancelled:", r.URL)
			http.Error(w, "cancelled", http.StatusServiceUnavailable) // if anybody is still there to read it
			return
		}
		fmt.Fprintln(w, "slept for", d)
	})
	mux.HandleFunc("GET /tasks", func(w http.ResponseWriter, r *http.Request) {
		for _, t := range kernel.Tasks() {
			fmt.Fprintf(w, "%s\t%s\n", t.State(), t.Name())
		}
	})
	mux.HandleFunc("GET /abort", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("kaboom") })
	return mux
}
