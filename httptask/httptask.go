// Package httptask runs the handlers of a net/http server as tasks. Each request has a task with a name,
// whose waits can be observed. The task is cancelled when the client goes away or the kernel is shut down,
// and so are the tasks that the handler spawns. Begin with [Handler]:
//
//	server := &http.Server{
//		Handler:           httptask.Handler(mux),
//		BaseContext:       func(net.Listener) context.Context { return ctx }, // for ctx's kernel
//		ReadHeaderTimeout: 10 * time.Second,
//	}
//
// Without a BaseContext, or with one that does not belong to a task, the tasks belong to the process's
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

// Handler returns an http.Handler that calls h in a task of its own for each request, and waits for
// the task to end. The task is spawned with the request's context, and h gets a request with the
// task's context. The task's name is the first 128 bytes of the request's method and path.
//
// The rules of package net/http apply to h:
//
//   - The ResponseWriter is the server's own, so h can stream a response with
//     http.ResponseController, and take over the connection with Hijack.
//   - A panic in h aborts the response, so that the client does not take part of it for the whole.
//     The kernel logs the panic once, with h's stack; with CrashOnPanic it ends the process. A
//     panic with http.ErrAbortHandler is not logged. A call of runtime.Goexit also aborts the
//     response.
//   - When h has returned, the request's context is done, and the tasks that h has spawned are
//     cancelled, even if h has hijacked the connection. Work that has to go on longer needs a
//     context of its own.
//
// The task is cancelled when net/http notices that the client has closed the connection, when its
// server is closed, by the task's Cancel method, and when the kernel is shut down. A handler that
// is cancelled must write an error status itself: if it returns without having written anything,
// net/http answers with status 200. If the kernel has already been shut down, h is not called, and
// the answer is status 503.
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
