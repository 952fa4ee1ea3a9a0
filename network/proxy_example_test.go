package network_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/network/proxyproto"
)

// A proxy tells a server the address of its client, and the server reads it.
func ExampleReadProxyHeader() {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		defer listener.Close()

		proxy, err := network.OpenConnection(ctx, listener.LocalAddr().String(), nil)
		if err != nil {
			return err
		}
		defer proxy.Close()
		header, err := proxyproto.Header{
			Source:      &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}, // client.RemoteAddr()
			Destination: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},  // client.LocalAddr()
			TLVs:        proxyproto.TLVs{{Type: proxyproto.Authority, Value: []byte("example.org")}},
		}.AppendBinary(nil)
		if err != nil {
			return err
		}
		if _, err := proxy.SendAll(ctx, append(header, "hello"...)); err != nil {
			return err
		}

		conn, err := listener.Accept(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		reading, cancel := curio.WithTimeout(ctx, 10*time.Second)
		read, conn, err := network.ReadProxyHeader(reading, conn)
		cancel()
		if err != nil {
			return err
		}
		host, _ := read.TLVs.Get(proxyproto.Authority)
		buf := make([]byte, 10)
		n, err := conn.Recv(ctx, buf)
		fmt.Printf("%v wants %s and says %q\n", conn.RemoteAddr(), host, buf[:n])
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: 192.0.2.7:4711 wants example.org and says "hello"
}
