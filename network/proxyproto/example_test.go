package proxyproto_test

import (
	"fmt"
	"io"
	"net"

	"github.com/curio-go/curio/network/proxyproto"
)

// A proxy puts a header in front of the data of its client, and a server removes it.
func Example() {
	header := proxyproto.Header{
		Source:      &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}, // client.RemoteAddr()
		Destination: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},  // client.LocalAddr()
		TLVs:        proxyproto.TLVs{{Type: proxyproto.Authority, Value: []byte("example.org")}},
	}
	data, err := header.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	data = append(data, "GET / HTTP/1.1\r\n"...)

	received, n, err := proxyproto.Parse(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	host, _ := received.TLVs.Get(proxyproto.Authority)
	fmt.Printf("%v wants %s and says %q\n", received.Source, host, data[n:])
	// Output: 192.0.2.7:4711 wants example.org and says "GET / HTTP/1.1\r\n"
}

// A header may arrive in pieces. Parse returns how long it is at least.
func ExampleParse() {
	header := []byte("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n")
	for _, received := range [][]byte{header[:20], header} {
		h, n, err := proxyproto.Parse(received)
		switch err {
		case nil:
			fmt.Printf("%d bytes: a header from %v\n", n, h.Source)
		case io.ErrUnexpectedEOF:
			fmt.Printf("%d bytes are too few\n", len(received))
		default:
			fmt.Println(err) // it is ErrHeader
		}
	}
	// Output:
	// 20 bytes are too few
	// 41 bytes: a header from 192.0.2.7:4711
}
