package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// withPeer runs body with a client and, as its server, a stream that the test itself reads and
// writes.
func withPeer(t *testing.T, c config, body func(ctx context.Context, t *testing.T, c *client, peer *stream.Stream)) {
	t.Helper()
	ctx := curiotest.NoLeaks(t)
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	cl, peer := newClient(ctx, a, c), stream.New(b)
	body(ctx, t, cl, peer)
	peer.Close()
	if err := cl.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := cl.Do(ctx, "too late"); err == nil {
		t.Error("it works after Close")
	}
	if free := cl.slots.Value(); free != int64(cl.MaxInFlight) || len(cl.replies) > 0 || cl.requests.Len() > 0 {
		t.Errorf("%d of %d slots are free, %d replies and %d requests are left", free, cl.MaxInFlight, len(cl.replies), cl.requests.Len())
	}
}

// ask begins a request.
func ask(ctx context.Context, c *client, request string) *curio.Task[string] {
	return curio.Spawn(ctx, func(ctx context.Context) (string, error) { return c.Do(ctx, request) }, curio.ReportCrash(false))
}

func expect(ctx context.Context, t *testing.T, peer *stream.Stream, want string) {
	t.Helper()
	if line, err := peer.ReadLine(ctx); line != want || err != nil {
		t.Fatalf("the server has received %q, %v, want %q", line, err, want)
	}
}

func say(ctx context.Context, t *testing.T, peer *stream.Stream, text string) {
	t.Helper()
	if _, err := peer.WriteString(ctx, text); err != nil {
		t.Fatal(err)
	}
}

// The reply to a caller that has given up is dropped, and the others get their own. A request that
// has not been sent by then is not sent.
func TestCancelledCaller(t *testing.T) {
	withPeer(t, config{}, func(ctx context.Context, t *testing.T, c *client, peer *stream.Stream) {
		first := ask(ctx, c, "first")
		expect(ctx, t, peer, "first\n")
		second := ask(ctx, c, "second")
		expect(ctx, t, peer, "second\n")
		if _, err := first.Cancel(ctx); err != nil {
			t.Error(err)
		}
		say(ctx, t, peer, "one\r\ntwo\n")
		if reply, err := second.Join(ctx); reply != "two" || err != nil {
			t.Errorf("%q, %v", reply, err)
		}

		early := &call{request: "not sent"}
		early.state.Store(dropped)
		if err := c.slots.Acquire(ctx); err != nil {
			t.Fatal(err)
		}
		if err := c.requests.TryPut(early); err != nil {
			t.Fatal(err)
		}
		third := ask(ctx, c, "third")
		expect(ctx, t, peer, "third\n")
		say(ctx, t, peer, "three\n")
		if reply, err := third.Join(ctx); reply != "three" || err != nil {
			t.Errorf("%q, %v", reply, err)
		}
	})
}

// Whatever ends the connection, all requests fail with the reason, and at once.
func TestConnectionFails(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(ctx context.Context, t *testing.T, peer *stream.Stream)
		want error
	}{
		"closed":  {func(ctx context.Context, t *testing.T, peer *stream.Stream) { peer.Close() }, io.ErrUnexpectedEOF},
		"halfway": {func(ctx context.Context, t *testing.T, peer *stream.Stream) { say(ctx, t, peer, "on"); peer.Close() }, errTruncated},
		"too long": {func(ctx context.Context, t *testing.T, peer *stream.Stream) {
			say(ctx, t, peer, strings.Repeat("x", 200))
		}, stream.ErrLineTooLong},
		"silent": {func(context.Context, *testing.T, *stream.Stream) {}, errNoAnswer},
		"unasked": {func(ctx context.Context, t *testing.T, peer *stream.Stream) {
			say(ctx, t, peer, "one\ntwo\nthree\n")
		}, errUnasked},
	} {
		t.Run(name, func(t *testing.T) {
			withPeer(t, config{MaxLine: 100, Patience: 100 * time.Millisecond}, func(ctx context.Context, t *testing.T, cl *client, peer *stream.Stream) {
				one := ask(ctx, cl, "1")
				expect(ctx, t, peer, "1\n")
				two := ask(ctx, cl, "2")
				expect(ctx, t, peer, "2\n")
				c.do(ctx, t, peer)
				err := errors.Join(one.Wait(ctx), two.Wait(ctx), cl.task.Wait(ctx))
				if err != nil {
					t.Fatal(err)
				}
				if name != "unasked" && (!errors.Is(one.Err(), c.want) || !errors.Is(two.Err(), c.want)) {
					t.Errorf("%v, %v, want %v", one.Err(), two.Err(), c.want)
				}
				if _, err := cl.Do(ctx, "3"); !errors.Is(err, c.want) {
					t.Errorf("a later one: %v, want %v", err, c.want)
				}
			})
		})
	}
}

// A client of a kernel that has been shut down works no less than one whose connection has failed.
func TestKernelIsGone(t *testing.T) {
	var gone context.Context
	if err := curio.Run(t.Context(), func(ctx context.Context) error { gone = ctx; return nil }, curio.Logger(slog.New(slog.DiscardHandler))); err != nil {
		t.Fatal(err)
	}
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := newClient(gone, a, config{})
	if _, err := c.Do(t.Context(), "too late"); err != curio.ErrKernelShutdown {
		t.Error(err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// Nothing that could be taken for two requests is sent.
func TestBadRequests(t *testing.T) {
	withPeer(t, config{MaxLine: 100}, func(ctx context.Context, t *testing.T, c *client, peer *stream.Stream) {
		for _, request := range []string{"a\nb", "a\r", strings.Repeat("x", 100)} {
			if _, err := c.Do(ctx, request); err != errRequest {
				t.Errorf("%.10q: %v", request, err)
			}
		}
	})
}

// No more than MaxInFlight requests are in flight, including those whose callers have given up.
func TestInFlight(t *testing.T) {
	withPeer(t, config{MaxInFlight: 1}, func(ctx context.Context, t *testing.T, c *client, peer *stream.Stream) {
		gone := ask(ctx, c, "gone")
		expect(ctx, t, peer, "gone\n")
		if _, err := gone.Cancel(ctx); err != nil {
			t.Error(err)
		}
		err := curio.TimeoutAfter(ctx, 20*time.Millisecond, func(ctx context.Context) error { _, err := c.Do(ctx, "more"); return err })
		if !errors.Is(err, curio.ErrTaskTimeout) {
			t.Error(err)
		}
		say(ctx, t, peer, "GONE\n")
		next := ask(ctx, c, "next")
		expect(ctx, t, peer, "next\n")
		say(ctx, t, peer, "NEXT\n")
		if reply, err := next.Join(ctx); reply != "NEXT" || err != nil {
			t.Errorf("%q, %v", reply, err)
		}
	})
}

// Many ask, and are cancelled at any moment: whoever gets a reply gets its own.
func TestManyAreCancelled(t *testing.T) {
	withPeer(t, config{MaxInFlight: 50}, func(ctx context.Context, t *testing.T, c *client, peer *stream.Stream) {
		server := curio.Go(ctx, func(ctx context.Context) error {
			for line, err := range peer.Lines(ctx) {
				if err != nil {
					return err
				}
				if _, err := peer.WriteString(ctx, strings.ToUpper(line)); err != nil {
					return err
				}
			}
			return nil
		})
		var tasks []*curio.Task[string]
		for i := range 2000 {
			tasks = append(tasks, ask(ctx, c, fmt.Sprint("request ", i)))
			if rand.IntN(2) == 0 {
				tasks[rand.IntN(len(tasks))].CancelNow()
			}
		}
		for i, task := range tasks {
			if err := task.Wait(ctx); err != nil {
				t.Fatal(err)
			}
			reply, err := task.Result()
			if err == nil && reply != fmt.Sprint("REQUEST ", i) || err != nil && !errors.Is(err, curio.ErrTaskCancelled) {
				t.Errorf("request %d: %q, %v", i, reply, err)
			}
		}
		if _, err := server.Cancel(ctx); err != nil {
			t.Error(err)
		}
	})
}
