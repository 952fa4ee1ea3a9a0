package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/process"
	"github.com/curio-go/curio/stream"
)

type server struct {
	limit time.Duration // for an answer
}

// serve serves one client. It goes on reading while an answer is computed: that is how it notices that the
// client has left.
func (s *server) serve(ctx context.Context, conn network.Conn) error {
	lines := stream.New(conn)
	lines.SetLineLimit(longest)
	asked := curio.NewQueue[string](ahead)
	return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[struct{}]) error {
		g.Go(func(ctx context.Context) error { return s.answerAll(ctx, lines, asked) }, curio.Name("answer"))
		lastWords := ""
		switch err := listen(ctx, lines, asked); {
		case errors.Is(err, curio.ErrStopping):
			asked.Close() // what is in it is still answered
			return nil
		case errors.Is(err, stream.ErrLineTooLong):
			lastWords = fmt.Sprintf("* a line has no more than %d bytes; good-bye\n", longest)
		case errors.Is(err, curio.ErrQueueFull):
			lastWords = fmt.Sprintf("* no more than %d numbers at a time; good-bye\n", ahead)
		case err != io.EOF:
			return err
		}
		if err := g.CancelRemaining(ctx); err != nil {
			return err
		}
		_, err := lines.WriteString(ctx, lastWords)
		return err
	})
}

// listen puts the client's lines into asked, until there are no more, or the server stops. If it waited for
// room, nobody would notice that the client leaves.
func listen(ctx context.Context, lines *stream.Stream, asked *curio.Queue[string]) error {
	waiting, cancel := curio.UntilStop(ctx)
	defer cancel()
	for {
		line, err := lines.ReadLine(waiting)
		if err == nil {
			err = asked.TryPut(line)
		}
		if err != nil {
			return err
		}
	}
}

// answerAll answers what has been asked, one number at a time, so that a client that asks for many has no
// more than one worker.
func (s *server) answerAll(ctx context.Context, lines *stream.Stream, asked *curio.Queue[string]) error {
	for line, err := range asked.All(ctx) {
		if err != nil {
			return err
		}
		answer, err := s.answer(ctx, line)
		if err != nil {
			return err
		}
		if _, err := lines.WriteString(ctx, answer+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) answer(ctx context.Context, line string) (string, error) {
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || n < 0 || n > largest {
		return fmt.Sprintf("* a number from 0 to %d, please", largest), nil
	}
	var result uint64
	late, err := curio.IgnoreAfter(ctx, s.limit, func(ctx context.Context) (err error) {
		result, err = process.Run(ctx, fib, n)
		return err
	})
	var died *process.WorkerError
	switch {
	case late:
		return "* that takes too long", nil
	case errors.As(err, &died): // which concerns this answer, and nobody else
		curio.LoggerOf(ctx).Error("computation failed", "n", n, "err", err)
		return "* that did not work, sorry", nil
	case err != nil:
		return "", err
	}
	return strconv.FormatUint(result, 10), nil
}
