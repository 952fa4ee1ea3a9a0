package channel_test

import (
	"context"
	"net"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
)

// What a connection costs over loopback, from the attempt to both ends closed: with package net, with
// channel and no key, and with a key, which is six frames to and fro and four MACs.
func BenchmarkConnect(b *testing.B) {
	b.Run("with=net", func(b *testing.B) {
		b.ReportAllocs()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(b, err)
		defer l.Close()
		for b.Loop() {
			client, err := net.Dial("tcp", l.Addr().String())
			check(b, err)
			conn, err := l.Accept()
			check(b, err)
			client.Close()
			conn.Close()
		}
	})
	for name, config := range map[string]*channel.Config{"with=channel": {}, "with=key": keyed(secret)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			err := curio.Run(background, func(ctx context.Context) error {
				l, err := channel.Listen(ctx, "tcp", "127.0.0.1:0", config)
				if err != nil {
					return err
				}
				defer l.Close()
				for b.Loop() {
					client, err := channel.Connect(ctx, "tcp", l.LocalAddr().String(), config)
					if err != nil {
						return err
					}
					conn, err := l.Accept(ctx)
					if err != nil {
						return err
					}
					client.Close()
					conn.Close()
				}
				return nil
			})
			check(b, err)
		})
	}
}
