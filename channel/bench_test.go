package channel_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
)

// How long a question and its answer take over TCP on loopback, beside what one would write with package net.

// A talker is one end of a connection: it sends a message, or receives one.
type talker struct {
	send func(ctx context.Context) error
	recv func(ctx context.Context) error
}

// benchmarkTalk has two ends ask and answer.
func benchmarkTalk(b *testing.B, asker, answerer talker) {
	b.Helper()
	check(b, curio.Run(background, func(ctx context.Context) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
			stop := false
			g.Go(func(ctx context.Context) error {
				for {
					if err := answerer.recv(ctx); err != nil || stop {
						return err
					}
					if err := answerer.send(ctx); err != nil {
						return err
					}
				}
			})
			for b.Loop() {
				if err := asker.send(ctx); err != nil {
					return err
				}
				if err := asker.recv(ctx); err != nil {
					return err
				}
			}
			stop = true
			return asker.send(ctx)
		})
	}))
}

func channels(b *testing.B, config *channel.Config) (client, server *channel.Conn) {
	l, _ := listen(b, background, config)
	return meets(b, l, config)
}

func netConns(b *testing.B) (client, server net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(b, err)
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	check(b, err)
	server, err = l.Accept()
	check(b, err)
	b.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func BenchmarkBytes(b *testing.B) {
	for _, size := range []int{64, 16 << 10, 1 << 20} {
		m := numbered(size)
		run := func(way string, ends func(b *testing.B) (asker, answerer talker)) {
			b.Run(fmt.Sprintf("size=%d/way=%s", size, way), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(2 * size))
				asker, answerer := ends(b)
				benchmarkTalk(b, asker, answerer)
			})
		}
		run("RecvBytes", func(b *testing.B) (asker, answerer talker) {
			client, server := channels(b, nil)
			of := func(c *channel.Conn) talker {
				return talker{func(ctx context.Context) error { return c.SendBytes(ctx, m) }, func(ctx context.Context) error {
					_, err := c.RecvBytes(ctx)
					return err
				}}
			}
			return of(client), of(server)
		})
		run("RecvBytesInto", func(b *testing.B) (asker, answerer talker) {
			client, server := channels(b, nil)
			of := func(c *channel.Conn) talker {
				buf := make([]byte, size)
				return talker{func(ctx context.Context) error { return c.SendBytes(ctx, m) }, func(ctx context.Context) error {
					_, err := c.RecvBytesInto(ctx, buf)
					return err
				}}
			}
			return of(client), of(server)
		})
		// The same format over a net.Conn, without locks, limits or cancellation.
		run("net", func(b *testing.B) (asker, answerer talker) {
			client, server := netConns(b)
			of := func(c net.Conn) talker {
				buf, r := make([]byte, size), bufio.NewReader(c)
				var header [4]byte
				return talker{func(context.Context) error {
					binary.BigEndian.PutUint32(header[:], uint32(size))
					buffers := net.Buffers{header[:], m}
					_, err := buffers.WriteTo(c)
					return err
				}, func(context.Context) error {
					if _, err := io.ReadFull(r, header[:]); err != nil {
						return err
					}
					_, err := io.ReadFull(r, buf[:binary.BigEndian.Uint32(header[:])])
					return err
				}}
			}
			return of(client), of(server)
		})
	}
}

type order struct {
	ID    int
	Name  string
	Lines []line
}

type line struct {
	Item  string
	Count int
	Price float64
}

func anOrder() order {
	o := order{ID: 4711, Name: "a customer"}
	for i := range 10 {
		o.Lines = append(o.Lines, line{fmt.Sprint("item ", i), i, 1.5 * float64(i)})
	}
	return o
}

func BenchmarkValues(b *testing.B) {
	v := anOrder()
	run := func(way string, ends func(b *testing.B) (asker, answerer talker)) {
		b.Run("way="+way, func(b *testing.B) {
			b.ReportAllocs()
			asker, answerer := ends(b)
			benchmarkTalk(b, asker, answerer)
		})
	}
	for _, codec := range []channel.Codec{channel.JSON, channel.Gob} {
		run(codec.String(), func(b *testing.B) (asker, answerer talker) {
			client, server := channels(b, &channel.Config{Codec: codec})
			of := func(c *channel.Conn) talker {
				return talker{func(ctx context.Context) error { return c.Send(ctx, v) }, func(ctx context.Context) error {
					var o order
					return c.Recv(ctx, &o)
				}}
			}
			return of(client), of(server)
		})
	}
	run("net+json", func(b *testing.B) (asker, answerer talker) {
		client, server := netConns(b)
		of := func(c net.Conn) talker {
			e, d := json.NewEncoder(c), json.NewDecoder(c)
			return talker{func(context.Context) error { return e.Encode(v) }, func(context.Context) error {
				var o order
				return d.Decode(&o)
			}}
		}
		return of(client), of(server)
	})
	run("net+gob", func(b *testing.B) (asker, answerer talker) {
		client, server := netConns(b)
		of := func(c net.Conn) talker {
			e, d := gob.NewEncoder(c), gob.NewDecoder(c)
			return talker{func(context.Context) error { return e.Encode(v) }, func(context.Context) error {
				var o order
				return d.Decode(&o)
			}}
		}
		return of(client), of(server)
	})
}
