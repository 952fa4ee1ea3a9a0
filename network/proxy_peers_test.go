package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/network/proxyproto"
)

// For who accepts connections himself.
func TestReadProxyHeader(t *testing.T) {
	testutil.NoLeaks(t)
	conn, proxy := acceptedOn(t, "tcp4", "127.0.0.1:0")
	said := proxyproto.Header{
		Source: tcpAddr("1.2.3.4:4660"), Destination: tcpAddr("127.0.0.1:80"),
		TLVs: proxyproto.TLVs{{Type: proxyproto.Authority, Value: []byte("example.org")}},
	}
	writeAll(t, proxy, formatted(t, said)+"hello")
	header, client, err := network.ReadProxyHeader(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if name, _ := header.TLVs.Get(proxyproto.Authority); string(name) != "example.org" || header.Version != 2 {
		t.Errorf("%+v", header)
	}
	if client.RemoteAddr().String() != "1.2.3.4:4660" {
		t.Errorf("it comes from %v", client.RemoteAddr())
	}
	if of, ok := network.ProxyHeaderOf(layerAbove{client}); !ok || of != header {
		t.Errorf("of a layer above: %v, %v", of, ok)
	}
	if again, same, err := network.ReadProxyHeader(t.Context(), client); again != header || same != client || err != nil {
		t.Errorf("again: %v, %v, %v", again, same, err)
	}
	if got := receiveAll(t, client, 5); got != "hello" {
		t.Errorf("received %q", got)
	}
	if header, ok := network.ProxyHeaderOf(conn); ok {
		t.Errorf("of the layer below: %v", header)
	}
	if header, ok := network.ProxyHeaderOf(nil); ok {
		t.Errorf("of nothing: %v", header)
	}
}

// A layerAbove is what TLS would be.
type layerAbove struct{ network.Conn }

func (l layerAbove) Below() network.Conn { return l.Conn }

// A failingBelow has a handshake of its own, below the header.
type failingBelow struct{ network.Conn }

var errFailing = errors.New("no")

func (failingBelow) Handshake(context.Context) error { return errFailing }

func TestProxiedHandshakeBelow(t *testing.T) {
	testutil.NoLeaks(t)
	conn, proxy := acceptedOn(t, "tcp4", "127.0.0.1:0")
	writeAll(t, proxy, header4)
	if err := readHeader(t.Context(), network.NewProxied(failingBelow{conn}, everyProxy)); !errors.Is(err, errFailing) {
		t.Errorf("%v", err)
	}
}

// proxyServer serves as a server with ServerConfig.Proxy does: it sends who the client is.
func proxyServer(ctx context.Context, conn network.Conn) error {
	conn = network.NewProxied(conn, everyProxy)
	if err := readHeader(ctx, conn); err != nil {
		return err
	}
	header, _ := network.ProxyHeaderOf(conn)
	said := fmt.Sprintf("version %d of %v to %v\n", header.Version, conn.RemoteAddr(), conn.LocalAddr())
	_, err := conn.SendAll(ctx, fmt.Appendf(nil, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(said), said))
	if err == nil { // else what has not been received would reset the connection
		err = conn.CloseWrite(ctx)
	}
	for buf := make([]byte, 1000); err == nil; {
		_, err = conn.Recv(ctx, buf)
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func TestProxiedCurl(t *testing.T) {
	testutil.Need(t, "curl")
	s := serve(t, proxyServer)
	curl := testutil.Program(t, "curl", "-sS", "--haproxy-protocol", "http://"+s.Addr+"/")
	line := curl.Line()
	if !strings.HasPrefix(line, "version 1 of 127.0.0.1:") || !strings.HasSuffix(line, " to "+s.Addr) || strings.Contains(line, "of "+s.Addr) {
		t.Errorf("curl says %q", line)
	}
	if status := curl.Wait(); status != 0 {
		t.Errorf("curl ended with status %d", status)
	}
}

const pythonProxy = `
import socket, struct, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)))
block = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "::1") + struct.pack("!HH", 7, 443)
block += struct.pack("!BH", 2, 11) + b"example.org"
s.sendall(b"\r\n\r\n\x00\r\nQUIT\n" + struct.pack("!BBH", 0x21, 0x21, len(block)) + block + b"GET / HTTP/1.0\r\n\r\n")
s.shutdown(socket.SHUT_WR)
sys.stdout.write(s.makefile().read().split("\n")[-2] + "\n")
`

func TestProxiedPython(t *testing.T) {
	testutil.Need(t, "python3")
	s := serve(t, proxyServer)
	child := testutil.Program(t, "python3", "-c", pythonProxy, s.Addr)
	if line := child.Line(); line != "version 2 of [2001:db8::7]:7 to [::1]:443" {
		t.Errorf("python says %q", line)
	}
	if status := child.Wait(); status != 0 {
		t.Errorf("python ended with status %d", status)
	}
}

func init() {
	blockings = append(blockings, blocking{"ReadProxyHeader reads", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		conn, proxy := acceptedOn(t, "tcp4", "127.0.0.1:0")
		writeAll(t, proxy, header4[:10])
		return func(ctx context.Context) error {
			_, layered, err := network.ReadProxyHeader(ctx, conn)
			t.Cleanup(func() { // nothing is lost
				writeAll(t, proxy, header4[10:]+"hello")
				if got := receiveAllIn(context.Background(), t, layered, 5); got != "hello" {
					t.Errorf("received %q", got)
				}
			})
			return err
		}, inState("READ_WAIT"), proxy.LocalAddr().String()
	}})
}

// A proxy and a server behind it, cancelled at each of their waits.
func TestEverywhereProxied(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		handler := func(ctx context.Context, conn network.Conn) error {
			_, conn, err := network.ReadProxyHeader(ctx, conn)
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil // the client has been cancelled
			}
			if err != nil {
				return err
			}
			return echo(ctx, conn)
		}
		return served(ctx, handler, func(ctx context.Context, addr string) error {
			conn, err := network.OpenConnection(ctx, addr, nil)
			if err != nil {
				return err
			}
			defer conn.Close()
			header, err := large(10).AppendBinary(nil)
			if err != nil {
				return err
			}
			for _, part := range [][]byte{header[:5], header[5:], []byte("hello")} {
				if _, err := conn.SendAll(ctx, part); err != nil {
					return err
				}
			}
			_, err = conn.Recv(ctx, make([]byte, 1))
			return err
		})
	})
}
