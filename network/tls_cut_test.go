package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// A sending is a connection, or a stream on it, on which a message is cut in the middle.
type sending struct {
	*course
	stream *stream.Stream
}

// A step is what may follow a SendAll, or a Write, that was cut short.
type step struct {
	name   string
	each   int // the distance between cuts, in bytes
	kind   stepKind
	stream bool
	do     func(ctx context.Context, s *sending) error
}

type stepKind int

const (
	toSend    stepKind = iota
	toReceive          // the peer's thanks
	toClose
)

var steps = []step{
	{"Recv", 1, toReceive, false, func(ctx context.Context, s *sending) error { return expectText(ctx, s.conn, thanks) }},
	{"WaitRead", 7, toReceive, false, func(ctx context.Context, s *sending) error { return s.conn.WaitRead(ctx) }},
	{"SendAll of nothing", 7, toSend, false, func(ctx context.Context, s *sending) error {
		return second(s.conn.SendAll(ctx, nil))
	}},
	{"CloseWrite", 7, toClose, false, func(ctx context.Context, s *sending) error { return s.conn.CloseWrite(ctx) }},
	{"Close", 1, toClose, false, func(_ context.Context, s *sending) error { return s.conn.Close() }},
	{"CloseContext", 7, toClose, false, func(ctx context.Context, s *sending) error {
		if c, ok := s.conn.(interface{ CloseContext(context.Context) error }); ok {
			return c.CloseContext(ctx)
		}
		return s.conn.Close()
	}},
	{"ReadLine", 7, toReceive, true, func(ctx context.Context, s *sending) error {
		line, err := s.stream.ReadLine(ctx)
		if err == nil && line != thanks {
			err = fmt.Errorf("read %q", line)
		}
		return err
	}},
	{"ReadFull", 7, toReceive, true, func(ctx context.Context, s *sending) error {
		return second(s.stream.ReadFull(ctx, make([]byte, len(thanks))))
	}},
	{"Flush", 1, toSend, true, func(ctx context.Context, s *sending) error { return s.stream.Flush(ctx) }},
	{"Write of nothing", 7, toSend, true, func(ctx context.Context, s *sending) error {
		return second(s.stream.Write(ctx, nil))
	}},
	{"WriteString of nothing", 19, toSend, true, func(ctx context.Context, s *sending) error {
		return second(s.stream.WriteString(ctx, ""))
	}},
	{"WriteLines of nothing", 19, toSend, true, func(ctx context.Context, s *sending) error {
		_, err := s.stream.WriteLines(ctx, slices.Values([]string(nil)))
		return err
	}},
	{"CloseWrite of a stream", 7, toClose, true, func(ctx context.Context, s *sending) error { return s.stream.CloseWrite(ctx) }},
	{"Close of a stream", 1, toClose, true, func(ctx context.Context, s *sending) error { return s.stream.CloseContext(ctx) }},
}

// The sizes of messages that are cut: a small one, which is cut inside its record, at every
// byte or at some, and a large one, which takes several rounds.
const (
	smallMessage = 80
	largeMessage = 200_000
)

// cutsOf returns where to cut a message of that size: for a small one, every each bytes.
func cutsOf(size, each int) (at []int) {
	if size == largeMessage {
		return []int{70_001, 0, 65_000, 135_000}[:max(1, 4/each)]
	}
	for i := 0; i < smallMessage+70; i += each {
		at = append(at, i)
	}
	return at
}

// A send is cut at every byte, or at some unless the run is a long one, over every combination of layers, and then every possible
// step follows, while the peer either accepts data again or does not. Either the peer gets
// all that SendAll has reported as sent, or an error says that it does not. Nothing hangs.
func TestTLSCutThen(t *testing.T) {
	network.LastWords(t, time.Millisecond) // most of the closes find no room
	for _, g := range grounds {
		t.Run(g.name, func(t *testing.T) {
			for _, size := range []int{smallMessage, largeMessage} {
				data := testutil.Pattern(21, size)
				for _, opens := range []bool{true, false} {
					for _, step := range steps {
						each := 131
						switch {
						case testutil.Long && testutil.Race && g.name == "TLS":
							each = 3 * step.each
						case testutil.Long && g.name == "TLS":
							each = step.each
						case testutil.Long:
							each = 41
						}
						for _, at := range cutsOf(size, each) {
							cutThen(t, g, data, at, opens, step)
						}
					}
				}
			}
		})
	}
}

// send sends data by the stream, if there is one, and returns how much was accepted.
func (s *sending) send(ctx context.Context, data []byte) (int, error) {
	if s.stream != nil {
		return s.stream.Write(ctx, data)
	}
	return s.conn.SendAll(ctx, data)
}

func cutThen(t *testing.T, g ground, data []byte, at int, opens bool, step step) {
	if g.frail && step.kind == toClose && !opens {
		return // package tls takes five seconds for that
	}
	t.Run(fmt.Sprintf("%d of %d, then %s, opens %v", at, len(data), step.name, opens), func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
		defer cancel()
		s := &sending{course: g.start(ctx, t)}
		if step.stream {
			s.stream = stream.New(s.conn)
		}
		s.valve.shut(at)
		taken := 0
		err := s.during(ctx, func(ctx context.Context) (err error) {
			taken, err = s.send(ctx, data)
			return err
		}, func(cancel func()) { cancel() })
		whole := err == nil
		if !whole {
			is(t, err, taskCancelled...)
		}
		s.peer.promise(ctx, taken)
		s.valve.again()
		err = s.during(ctx, func(ctx context.Context) error { return step.do(ctx, s) }, func(cancel func()) {
			if opens {
				s.valve.open()
			} else {
				cancel()
			}
		})
		if opens && err != nil && (!g.frail || whole) && step.name != "Close" && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v", err)
		}
		if step.kind == toReceive && g.frail && g.exact && err != nil {
			t.Errorf("it cannot receive: %v", err)
		}
		if opens || g.frail {
			s.valve.open()
		}
		closed := s.conn.Close()
		if step.kind == toClose {
			closed = errors.Join(err, closed)
		}
		s.finish(t, data, taken, missed(closed))
	})
}

// missed returns err if it says that something is missing, or else nil.
func missed(err error) error {
	if err != nil && (strings.Contains(err.Error(), "have not been sent") || errors.Is(err, io.ErrShortWrite)) {
		return err
	}
	return nil
}
