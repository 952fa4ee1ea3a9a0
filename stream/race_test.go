package stream_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// transports are the two ends of a connection.
var transports = map[string]func(t testing.TB) (a, b *stream.Stream){
	"socket": func(t testing.TB) (*stream.Stream, *stream.Stream) {
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		check(t, err)
		return stream.New(a), stream.New(b)
	},
	"foreign": func(testing.TB) (*stream.Stream, *stream.Stream) {
		a, b := net.Pipe()
		return stream.FromConn(a), stream.FromConn(b)
	},
	"pipe": func(t testing.TB) (*stream.Stream, *stream.Stream) {
		r, w := pipe(t)
		return fromFile(t, r), fromFile(t, w)
	},
	"blocking pipe": func(t testing.TB) (*stream.Stream, *stream.Stream) {
		r, w := blockingPipe(t)
		return fromFile(t, r), fromFile(t, w)
	},
}

// cancelSoon cancels o when it has got somewhere.
func cancelSoon(o *wait.Owner) {
	for range rand.IntN(8) {
		runtime.Gosched()
	}
	cancel(o)
}

// Reads that are cancelled in the moment in which something arrives: each byte arrives
// once, and in order, whatever was cancelled.
func TestReadRacesWithCancel(t *testing.T) {
	rounds := testutil.Times(1500)
	for name, open := range transports {
		for way, read := range map[string]func(ctx context.Context, s *stream.Stream) (string, error){
			"ReadLine": func(ctx context.Context, s *stream.Stream) (string, error) { return s.ReadLine(ctx) },
			"ReadExactly": func(ctx context.Context, s *stream.Stream) (string, error) {
				p, err := s.ReadExactly(ctx, 8)
				return string(p), err
			},
		} {
			t.Run(name+"/"+way, func(t *testing.T) {
				testutil.NoLeaks(t)
				r, w := open(t)
				defer r.CloseContext(background)
				_, join := in(t, func(ctx context.Context) error {
					_, err := w.WriteLines(ctx, func(yield func(string) bool) {
						for range rounds {
							if _, err := w.WriteString(ctx, "abc"); err != nil {
								return
							}
							if _, err := w.WriteString(ctx, "defg\n"); err != nil {
								return
							}
						}
					})
					if err == nil {
						err = w.CloseContext(ctx)
					}
					return err
				})
				var all strings.Builder
				cancelled := 0
				for {
					var piece string
					o, joinRead := in(t, func(ctx context.Context) (err error) {
						piece, err = read(ctx, r)
						return err
					})
					cancelSoon(o)
					err := joinRead()
					all.WriteString(piece)
					if err == io.EOF || err == io.ErrUnexpectedEOF {
						break
					}
					if err != nil {
						want(t, err, wait.ErrTaskCancelled)
						// Some progress, or it goes on until the writer is done.
						if cancelled++; cancelled%2 == 0 {
							p := make([]byte, 3)
							n, err := r.Read(background, p)
							all.Write(p[:n])
							if err == io.EOF {
								break
							}
							check(t, err)
						}
					}
				}
				check(t, join())
				if all.String() != strings.Repeat("abcdefg\n", rounds) {
					t.Errorf("%d bytes of %d, or others", all.Len(), 8*rounds)
				}
				if cancelled == 0 {
					t.Error("none was cancelled, which tests nothing")
				}
				t.Logf("%d cancelled", cancelled)
			})
		}
	}
}

// The same the other way round: writes that are cancelled say what they have written.
func TestWriteRacesWithCancel(t *testing.T) {
	rounds := testutil.Times(700)
	data := numbered(512 << 10)
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			r, w := open(t)
			defer r.CloseContext(background)
			var received []byte
			_, join := in(t, func(ctx context.Context) (err error) {
				received, err = r.ReadAll(ctx, stream.NoLimit)
				return err
			})
			var sent []byte
			cancelled, halfway := 0, 0
			for i := range rounds {
				var n int
				piece := data[i : i+1+i*300]
				o, joinWrite := in(t, func(ctx context.Context) (err error) {
					n, err = w.Write(ctx, piece)
					return err
				})
				if i%4 != 0 { // and the others are not disturbed by what is cancelled before
					cancelSoon(o)
				}
				if err := joinWrite(); err != nil {
					want(t, err, wait.ErrTaskCancelled)
					if cancelled++; n > 0 {
						halfway++
					}
				} else if n != len(piece) {
					t.Fatalf("%d of %d bytes, and no error", n, len(piece))
				}
				sent = append(sent, piece[:n]...)
			}
			check(t, w.CloseContext(background))
			check(t, join())
			got(t, received, nil, string(sent), nil)
			if cancelled == 0 {
				t.Error("none was cancelled, which tests nothing")
			}
			t.Logf("%d cancelled, %d of them halfway", cancelled, halfway)
		})
	}
}

// Close while tasks read and write: they end, and nothing is left.
func TestCloseRaces(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			for range 300 {
				r, w := open(t)
				var joins []func() error
				for range 2 {
					_, reads := in(t, func(ctx context.Context) error { _, err := r.ReadLine(ctx); return err })
					_, writes := in(t, func(ctx context.Context) error {
						_, err := w.WriteString(ctx, strings.Repeat("x", 1000))
						return err
					})
					joins = append(joins, reads, writes)
				}
				_, closes := in(t, func(ctx context.Context) error { return w.CloseContext(ctx) })
				check(t, r.CloseContext(background))
				check(t, closes())
				for _, join := range joins {
					if err := join(); err != nil && !isEnd(err) {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// isEnd reports whether err is one that comes when one end or the other is closed.
func isEnd(err error) bool {
	for _, target := range []error{net.ErrClosed, io.EOF, io.ErrClosedPipe, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
