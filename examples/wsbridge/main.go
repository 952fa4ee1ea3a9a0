// Wsbridge is a chat for browsers: a bridge between WebSockets and a broadcast. Each client has two tasks, one that receives
// from its WebSocket and one that sends to it. The first of them that ends stops the other. The protocol itself, RFC 6455,
// is in websocket.go, on a connection that is taken over from net/http.
//
//	go run ./examples/wsbridge [-addr HOST:PORT]
//
// Open http://127.0.0.1:8081/ in two windows of a browser. Ctrl-C ends it, after a word to each client.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/httptask"
	"github.com/curio-go/curio/network"
)

const (
	maxConnections = 1000
	backlog        = 100              // lines that a client may lag behind before it misses some
	pingEvery      = 30 * time.Second // so that a client that is gone is noticed
	silentFor      = 75 * time.Second // longer than two pings; an answer is due to each of them
	sendWithin     = 30 * time.Second // for a client to take one message
	farewell       = time.Second      // for the last words when the server stops
)

//go:embed page.html
var page []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8081", "`HOST:PORT` to listen on")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &network.ServerConfig{MaxConnections: maxConnections})
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return serve(ctx, listener)
	}, curio.StopOnSignals(), curio.Grace(farewell)))
}

// A room is what all clients say.
type room struct {
	said    curio.Broadcast[string]
	clients sync.WaitGroup // Shutdown does not wait for connections that were taken over
}

// serve serves until it is asked to stop, and lets the clients have the time until ctx is done.
func serve(ctx context.Context, listener *network.Listener) error {
	var r room
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page)
	})
	mux.HandleFunc("GET /chat", r.chat)
	server := &http.Server{
		Handler:           httptask.Handler(mux),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(curio.LoggerOf(ctx).Handler(), slog.LevelDebug),
	}
	accepting := network.NetListener(ctx, listener)
	task := curio.Go(ctx, func(context.Context) error { return server.Serve(accepting) }, curio.Name("serve"))
	serving, cancel := curio.UntilStop(ctx)
	defer cancel()
	_ = task.Wait(serving) // ends before the stop if the listener has failed
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
	}
	_, _ = curio.RunInThread(ctx, func() (struct{}, error) { // each client gets its last words, or ctx is done
		r.clients.Wait()
		return struct{}{}, nil
	})
	_, err := task.Join(context.Background())
	if errors.Is(err, http.ErrServerClosed) {
		return curio.CheckCancellation(ctx)
	}
	return err
}

// chat serves one client.
func (r *room) chat(w http.ResponseWriter, request *http.Request) {
	r.clients.Add(1) // before the connection is taken over: until then Shutdown waits for it
	defer r.clients.Done()
	ctx := request.Context()
	ws, err := accept(ctx, w, request)
	if err != nil {
		return // accept has answered, if that was possible
	}
	defer ws.conn.Close()
	if err := r.bridge(ctx, ws); err != nil && !errors.Is(err, curio.ErrCancelled) {
		curio.LoggerOf(ctx).DebugContext(ctx, "client failed", "peer", request.RemoteAddr, "err", err)
	}
}

// bridge lets a client receive and send, until one of the two ends.
func (r *room) bridge(ctx context.Context, ws *websocket) error {
	inbox := r.said.Subscribe(ctx, backlog, curio.SlowSkip)
	defer inbox.Close()
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		g.Go(func(ctx context.Context) error { return r.receive(ctx, ws) }, curio.Name("receive"))
		g.Go(func(ctx context.Context) error { return send(ctx, ws, inbox) }, curio.Name("send"))
		first, err := g.NextDone(ctx)
		if err != nil {
			return err
		}
		if err := g.CancelRemaining(ctx); err != nil {
			return err
		}
		return first.Err()
	})
}

// receive tells all others what the client sends, until it ends the conversation, is silent for too long, or breaks
// the rules, which ends it with a word about that.
func (r *room) receive(ctx context.Context, ws *websocket) error {
	for {
		var text string
		late, err := curio.IgnoreAfter(ctx, silentFor, func(ctx context.Context) (err error) {
			text, err = ws.receive(ctx)
			return err
		})
		var broken *protocolError
		switch {
		case late && err == nil:
			return ws.end(ctx, statusGoingAway, "silent for too long")
		case err == io.EOF:
			return nil
		case errors.As(err, &broken):
			return ws.end(ctx, broken.status, broken.what)
		case err != nil:
			return err
		}
		if err := r.said.Send(ctx, text); err != nil {
			return err
		}
	}
}

// send sends what others say, and pings, until the server stops.
func send(ctx context.Context, ws *websocket, inbox *curio.Subscription[string]) error {
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	pings := curio.NewTicker(pingEvery, curio.DelayTicks)
	for {
		var text string
		i, err := curio.Select(waiting, inbox.ReceiveCase(&text), pings.NextCase(nil))
		var lagged *curio.LaggedError
		switch {
		case errors.Is(err, curio.ErrStopping):
			return ws.end(ctx, statusGoingAway, "the server is closing")
		case errors.As(err, &lagged):
			text = fmt.Sprintf("* you have missed %d lines", lagged.Skipped)
		case err != nil:
			return err
		case i == 1:
			err = curio.TimeoutAfter(ctx, sendWithin, func(ctx context.Context) error {
				return ws.write(ctx, opPing, nil)
			})
			if err != nil {
				return err
			}
			continue
		}
		err = curio.TimeoutAfter(ctx, sendWithin, func(ctx context.Context) error {
			return ws.write(ctx, opText, []byte(text))
		})
		if err != nil {
			return err
		}
	}
}
