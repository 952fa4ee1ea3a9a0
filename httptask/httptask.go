// Package httptask runs the handlers of a net/http server as tasks: each request has a name, is
// seen with what it waits for, and is cancelled when its client goes away or its kernel is shut
// down. What a handler spawns belongs to the request.
//
//	server := &http.Server{
//		Handler:     httptask.Handler(mux),
//		BaseContext: func(net.Listener) context.Context { return ctx }, // the tasks belong to ctx's kernel
//	}
//
// Without a BaseContext, or with one that is not of a task, the tasks belong to the process's
// default kernel.
package httptask

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/curio-go/curio"
)

// nameLimit bounds the name of a task, which comes from the client.
const nameLimit = 128

// Handler returns a handler that calls h in a task for each request, and waits for it. The task is
// spawned with the request's context, and the request that h gets has one of the task's. The task's
// name is the request's method and path, the first 128 bytes.
//
// The rules of package net/http hold for h:
//
//   - The ResponseWriter is the server's own, so that a response can be streamed, with
//     http.ResponseController, and a connection taken over, by Hijack.
//   - A panic of h aborts the response, so that the client does not take half of it for the whole.
//     It is logged once, by the kernel, with the stack of h; with CrashOnPanic it ends the
//     process. A panic with http.ErrAbortHandler is not logged. A call of runtime.Goexit aborts
//     the response, too.
//   - When h has returned, the request's context is done, and with it the tasks that h has
//     spawned, also if h has hijacked the connection: what is to go on longer needs a context of
//     its own.
//
// The task is cancelled when the client closes the connection, as far as net/http finds out, when
// its server is closed, by Cancel, and when the kernel is shut down. The handler that is cancelled
// has to say so: if it returns without having written anything, net/http answers with status 200.
// If the kernel has been shut down already, h is not called, and the answer is status 503.
//
// Handler panics if h is nil.
func Handler(h http.Handler) http.Handler {
	if h == nil {
		panic("curio/httptask: Handler of a nil http.Handler; for the default one pass http.DefaultServeMux")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		aborted := false
		task := curio.Go(r.Context(), func(ctx context.Context) error {
			defer func() {
				switch v := recover(); v {
				case nil:
				case http.ErrAbortHandler:
					aborted = true
				default:
					panic(v) // the kernel logs it, with this stack
				}
			}()
			ctx, end := curio.WithTimeout(ctx, curio.NoTimeout) // ends what h has spawned
			defer end()
			h.ServeHTTP(w, r.WithContext(ctx))
			return nil
		}, curio.Name(nameOf(r)))
		// w is h's until it returns, so nothing cuts this wait short.
		_, err := task.Join(context.Background())
		switch {
		case errors.Is(err, curio.ErrKernelShutdown):
			http.Error(w, "the server is shutting down", http.StatusServiceUnavailable)
		case aborted || err != nil:
			panic(http.ErrAbortHandler)
		}
	})
}

// nameOf returns the name of the task of r.
func nameOf(r *http.Request) string {
	name := r.Method + " " + r.URL.Path
	if len(name) > nameLimit {
		name = strings.ToValidUTF8(name[:nameLimit], "") + "…"
	}
	return name
}
