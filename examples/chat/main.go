// Chat is a chat server: each line that somebody sends, all the others receive.
//
//	go run ./examples/chat [-addr HOST:PORT]
//	nc 127.0.0.1 25002
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
	"unicode"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

const (
	backlog     = 100              // how many lines a member may lag behind before others wait
	longest     = 1000             // bytes of a line
	longestName = 40               // bytes of a name
	askFor      = 30 * time.Second // for the name
	farewell    = time.Second      // for the last words when the server stops
)

// config is what a server on the open internet needs: a bound for everything. A client that
// neither sends nor reads for an hour is gone.
var config = network.ServerConfig{MaxConnections: 1000, IdleTimeout: time.Hour}

func main() {
	addr := flag.String("addr", "127.0.0.1:25002", "`HOST:PORT` to listen on")
	patience := flag.Duration("patience", 10*time.Second, "how long the others wait for a member that does not read")
	flag.Parse()
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, *addr, &config)
		if err != nil {
			return err
		}
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, (&room{patience: *patience}).serve)
	}, curio.StopOnSignals(), curio.Grace(farewell))
	curio.Exit(err)
}

// serve serves one client: it asks for a name, and then listens and tells at once.
func (r *room) serve(ctx context.Context, conn network.Conn) error {
	lines := stream.New(conn)
	lines.SetLineLimit(longest)
	name, err := ask(ctx, lines)
	switch {
	case err == io.EOF:
		return nil
	case err != nil:
		return err
	}
	m := &member{name: name, conn: conn, inbox: curio.NewQueue[string](backlog)}
	joined, err := r.join(ctx, m)
	if !joined {
		_, err := lines.WriteString(ctx, "* that name will not do, or is taken; good-bye\n")
		return err
	}
	defer r.remove(m) // however it ends
	if err != nil {
		return err
	}
	err = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(func(ctx context.Context) error { return m.deliver(ctx, lines) }, curio.Name("deliver"))
		return r.listen(ctx, m, lines) // what is in the inbox is still delivered
	})
	if errors.Is(err, net.ErrClosed) {
		return nil // it was too slow: see tell
	}
	return err
}

func ask(ctx context.Context, lines *stream.Stream) (name string, err error) {
	if _, err := lines.WriteString(ctx, "* your name?\n"); err != nil {
		return "", err
	}
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	silent, err := curio.IgnoreAfter(waiting, askFor, func(ctx context.Context) (err error) {
		name, err = lines.ReadLine(ctx)
		return err
	})
	if silent && err == nil {
		err = io.EOF // as if the client had gone
	}
	return clean(name), err
}

// clean removes everything from a line that is not text, such as control sequences for a
// terminal.
func clean(line string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line))
}

// listen tells all others what m says, until it has gone or the server stops. The last
// words to m itself are in its inbox then, which gets no more.
func (r *room) listen(ctx context.Context, m *member, lines *stream.Stream) error {
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	defer m.inbox.Close()
	for line, err := range lines.Lines(waiting) {
		if err == nil {
			err = r.tell(waiting, m, m.name+": "+clean(line))
		}
		switch {
		case errors.Is(err, curio.ErrStopping):
			_ = m.inbox.TryPut("* the server is closing; good-bye\n") // there may be no room
			return nil
		case errors.Is(err, stream.ErrLineTooLong):
			_ = m.inbox.TryPut(fmt.Sprintf("* a line has no more than %d bytes; good-bye\n", longest))
			return r.leave(ctx, m)
		case err != nil:
			return errors.Join(err, r.leave(ctx, m))
		}
	}
	return r.leave(ctx, m)
}
