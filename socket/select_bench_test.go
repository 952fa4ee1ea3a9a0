package socket_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio"
)

// A task that waits for a socket or an event, is told of a byte, and receives it: by ReadCase, by the
// socket's number, and by a goroutine that receives into a channel, as one would do without us.
func BenchmarkSelectSocket(b *testing.B) {
	for _, impl := range []string{"curio", "number", "goroutine"} {
		b.Run("impl="+impl, func(b *testing.B) {
			for range 4 {
				unixPair(b)
			}
			x, y := unixPair(b)
			stop, ctx := new(curio.Event), context.Background()
			received := make(chan byte)
			buf := make([]byte, 1)
			if impl == "goroutine" {
				go func() {
					defer close(received)
					own := make([]byte, 1)
					for {
						if _, err := x.Recv(ctx, own); err != nil {
							return
						}
						received <- own[0]
					}
				}()
			}
			done, next := make(chan error), make(chan struct{})
			go func() {
				for range next {
					var err error
					switch impl {
					case "curio":
						_, err = curio.Select(ctx, stop.WaitCase(), x.ReadCase())
					case "number":
						_, err = curio.Select(ctx, stop.WaitCase(), curio.WaitReadCase(x.FD()))
					default:
						select {
						case <-received:
						case <-ctx.Done():
						}
					}
					if err == nil && impl != "goroutine" {
						_, err = x.Recv(ctx, buf)
					}
					done <- err
				}
			}()
			b.ReportAllocs()
			for b.Loop() {
				next <- struct{}{}
				_, err := y.Send(ctx, buf)
				check(b, err)
				check(b, <-done)
			}
			close(next)
			check(b, x.Close())
			if impl == "goroutine" {
				<-received
			}
		})
	}
}
