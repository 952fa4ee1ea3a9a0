package chat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// ServeCurio runs a server until ctx is done, and returns an error that is ctx's.
func ServeCurio(ctx context.Context, addr string, settings Settings, ready func(net.Addr)) error {
	listener, err := network.ListenTCP(ctx, addr, &network.ServerConfig{
		MaxConnections: settings.MaxConnections,
		IdleTimeout:    settings.Idle,
		Grace:          settings.Grace,
	})
	if err != nil {
		return err
	}
	ready(listener.LocalAddr())
	return network.RunServer(ctx, listener, (&curioRoom{settings: settings}).serve)
}

type curioRoom struct {
	settings Settings
	names    sync.Map
	lines    curio.Broadcast[string]
}

// serve serves one client.
func (r *curioRoom) serve(ctx context.Context, conn network.Conn) error {
	client := stream.New(conn)
	client.SetLineLimit(r.settings.LineLimit)
	name, err := ask(ctx, client)
	if err != nil {
		return err
	}
	if !r.take(name) {
		return say(ctx, client, refusal)
	}
	defer r.names.Delete(name)
	defer r.tell(fmt.Sprintf(hasLeft, name))
	return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		inbox := r.lines.Subscribe(ctx, r.settings.Backlog, curio.SlowSkip)
		delivery := g.Go(func(ctx context.Context) error { return deliver(ctx, inbox, client) })
		r.tell(fmt.Sprintf(hasJoined, name))
		err := r.listen(ctx, name, client)
		switch {
		case errors.Is(err, network.ErrIdle):
			return say(ctx, client, idle)
		case errors.Is(err, curio.ErrStopping):
			r.lines.Close() // the first one closes it for all
			if err := delivery.Wait(ctx); err != nil {
				return err
			}
			return say(ctx, client, closing)
		}
		return err
	}, curio.WaitNone)
}

// take reserves a name. One that will not do is not kept.
func (r *curioRoom) take(name string) (ok bool) {
	if !goodName(name) {
		return false
	}
	_, taken := r.names.LoadOrStore(name, true)
	return !taken
}

func ask(ctx context.Context, client *stream.Stream) (name string, err error) {
	if err := say(ctx, client, question); err != nil {
		return "", err
	}
	listening, cancel := curio.UntilStop(ctx)
	defer cancel()
	line, err := client.ReadLine(listening)
	return clean(line), err
}

// listen tells everybody what the client says, until it has gone or the server stops.
func (r *curioRoom) listen(ctx context.Context, name string, client *stream.Stream) error {
	listening, cancel := curio.UntilStop(ctx)
	defer cancel()
	for {
		line, err := client.ReadLine(listening)
		switch {
		case errors.Is(err, stream.ErrLineTooLong):
			if _, err = client.SkipLine(listening); err == nil {
				err = say(ctx, client, tooLong)
			}
		case err == nil:
			r.tell(said(name, line))
		}
		if err != nil {
			return err
		}
	}
}

// tell tells everybody. Nobody has to be waited for: all subscribe with SlowSkip.
func (r *curioRoom) tell(line string) { _ = r.lines.TrySend(line) }

// deliver sends a client what is said, until there is nothing more.
func deliver(ctx context.Context, inbox *curio.Subscription[string], client *stream.Stream) error {
	for line, err := range inbox.All(ctx) {
		if lagged, ok := errors.AsType[*curio.LaggedError](err); ok {
			line, err = fmt.Sprintf(haveMissed, lagged.Skipped), nil
		}
		if err == nil {
			err = say(ctx, client, line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func say(ctx context.Context, client *stream.Stream, line string) error {
	_, err := client.WriteString(ctx, line+"\n")
	return err
}
