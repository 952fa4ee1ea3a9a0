package network_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/network/proxyproto"
	"github.com/curio-go/curio/socket"
)

var everyProxy = &network.ProxyConfig{
	From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")},
	Unix: true,
}

const header4 = "PROXY TCP4 1.2.3.4 127.0.0.1 4660 80\r\n"

// acceptedOn returns a connection that a server has accepted on network and address, and
// its other end.
func acceptedOn(t testing.TB, on, addr string) (*socket.Socket, net.Conn) {
	t.Helper()
	family := socket.AF_INET6
	var local net.Addr
	var err error
	if on == "unix" {
		family = socket.AF_UNIX
		local, err = net.ResolveUnixAddr(on, addr)
	} else {
		local, err = net.ResolveTCPAddr(on, addr)
		if on == "tcp4" {
			family = socket.AF_INET
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	listener, err := socket.New(family, socket.SOCK_STREAM, 0)
	if err == nil {
		defer listener.Close()
		if family == socket.AF_INET6 {
			err = socket.V6Only.Set(listener, on == "tcp6")
		}
	}
	if err == nil {
		err = listener.Bind(local)
	}
	if err == nil {
		err = listener.Listen(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	to := listener.LocalAddr().String()
	if on == "tcp" { // all addresses
		_, port, _ := net.SplitHostPort(to)
		to = "127.0.0.1:" + port
	}
	client, err := net.DialTimeout(listener.LocalAddr().Network(), to, testutil.Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if err := client.SetDeadline(time.Now().Add(testutil.Patience)); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, conn)
	return conn, client
}

// proxied is a connection of IPv4 whose peer is a proxy.
func proxied(t testing.TB) (network.Conn, net.Conn) {
	t.Helper()
	testutil.NoLeaks(t)
	conn, client := acceptedOn(t, "tcp4", "127.0.0.1:0")
	return network.NewProxied(conn, everyProxy), client
}

func writeAll(t testing.TB, to io.Writer, data string) {
	t.Helper()
	if _, err := io.WriteString(to, data); err != nil {
		t.Fatal(err)
	}
}

func readHeader(ctx context.Context, conn network.Conn) error {
	return conn.(interface{ Handshake(context.Context) error }).Handshake(ctx)
}

// receiveAll receives n bytes, by few at a time.
func receiveAll(t testing.TB, conn network.Conn, n int) string {
	t.Helper()
	return receiveAllIn(t.Context(), t, conn, n)
}

func receiveAllIn(ctx context.Context, t testing.TB, conn network.Conn, n int) string {
	t.Helper()
	var got []byte
	for buf := make([]byte, 3); len(got) < n; {
		m, err := conn.Recv(ctx, buf[:min(len(buf), n-len(got))])
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got = append(got, buf[:m]...)
	}
	return string(got)
}

// tcpAddr is an address of TCP.
func tcpAddr(addr string) net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
}

// formatted is header as a proxy sends it.
func formatted(t testing.TB, header proxyproto.Header) string {
	t.Helper()
	data, err := header.AppendBinary(nil)
	must(t, err)
	return string(data)
}

// large is a header with a TLV of n bytes.
func large(n int) proxyproto.Header {
	return proxyproto.Header{
		Source: tcpAddr("1.2.3.4:4660"), Destination: tcpAddr("127.0.0.1:80"),
		TLVs: proxyproto.TLVs{{Type: 0xe0, Value: make([]byte, n)}, {Type: proxyproto.Checksum}},
	}
}

// Who receives sees nothing of the header, and the addresses are the client's.
func TestProxied(t *testing.T) {
	unixAddr := func(name string) net.Addr { return &net.UnixAddr{Name: name, Net: "unix"} }
	for name, header := range map[string]proxyproto.Header{
		"IPv4 1":        {Version: 1, Source: tcpAddr("1.2.3.4:4660"), Destination: tcpAddr("127.0.0.1:80")},
		"IPv4 2":        {Version: 2, Source: tcpAddr("1.2.3.4:4660"), Destination: tcpAddr("127.0.0.1:80")},
		"IPv6 1":        {Version: 1, Source: tcpAddr("[2001:db8::1]:65535"), Destination: tcpAddr("[::1]:0")},
		"IPv6 2":        {Version: 2, Source: tcpAddr("[2001:db8::1]:65535"), Destination: tcpAddr("[::1]:0")},
		"Unix":          {Source: unixAddr("/tmp/a"), Destination: unixAddr("/run/b")},
		"Unix unnamed":  {Source: unixAddr(""), Destination: unixAddr("/run/b")},
		"Unix abstract": {Source: unixAddr("@a"), Destination: unixAddr("@b")},
		"UNKNOWN":       {Version: 1, Local: true},
		"LOCAL":         {Version: 2, Local: true},
		"large":         large(1000),
	} {
		t.Run(name, func(t *testing.T) {
			conn, proxy := proxied(t)
			local, remote := conn.LocalAddr(), conn.RemoteAddr()
			if remote.String() != proxy.LocalAddr().String() || local.String() != proxy.RemoteAddr().String() {
				t.Errorf("before the header: %v, %v", local, remote)
			}
			if header, ok := network.ProxyHeaderOf(conn); ok {
				t.Errorf("a header before there is one: %v", header)
			}
			writeAll(t, proxy, formatted(t, header)+"hello")
			if got := receiveAll(t, conn, 5); got != "hello" {
				t.Errorf("received %q", got)
			}
			got, ok := network.ProxyHeaderOf(conn)
			if !ok || got.Local != header.Local {
				t.Errorf("the header is %+v, %v", got, ok)
			}
			if !header.Local {
				local, remote = header.Destination, header.Source
			}
			if conn.RemoteAddr().String() != remote.String() || conn.LocalAddr().String() != local.String() {
				t.Errorf("the addresses are %v and %v", conn.LocalAddr(), conn.RemoteAddr())
			}
			if _, err := conn.SendAll(t.Context(), []byte("back")); err != nil {
				t.Fatal(err)
			}
			if err := conn.CloseWrite(t.Context()); err != nil {
				t.Fatal(err)
			}
			if back, err := io.ReadAll(proxy); err != nil || string(back) != "back" {
				t.Errorf("%q, %v", back, err)
			}
		})
	}
}

// The header comes byte by byte, and what comes with its last byte is the client's.
func TestProxiedByteByByte(t *testing.T) {
	for _, data := range []string{header4, formatted(t, large(600))} {
		conn, proxy := proxied(t)
		s := newServer(t)
		reader := s.spawn(func(ctx context.Context) error { return readHeader(ctx, conn) })
		for i := range len(data) - 1 {
			writeAll(t, proxy, data[i:i+1])
			testutil.Await(t, "wait", func() bool { return reader.State() == "READ_WAIT" })
		}
		writeAll(t, proxy, data[len(data)-1:]+"hello")
		if err := end(t, reader); err != nil {
			t.Fatal(err)
		}
		if got := receiveAll(t, conn, 5); got != "hello" {
			t.Errorf("received %q", got)
		}
	}
}

// Everything that waits for the client waits for the header first, and what came with it
// is there at once.
func TestProxiedWaitRead(t *testing.T) {
	conn, proxy := proxied(t)
	writeAll(t, proxy, header4[:20])
	ctx, cancel := curio.WithTimeout(t.Context(), short)
	defer cancel()
	is(t, conn.WaitRead(ctx), taskTimeout...)
	writeAll(t, proxy, header4[20:]+"hello")
	for range 3 {
		if err := conn.WaitRead(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := conn.Recv(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("into nothing: %d, %v", n, err)
	}
	is(t, conn.WaitRead(ctx), taskTimeout...)
	_, err := conn.Recv(ctx, make([]byte, 10))
	is(t, err, taskTimeout...)
	is(t, readHeader(ctx, conn), taskTimeout...)
	if got := receiveAll(t, conn, 5); got != "hello" {
		t.Errorf("received %q", got)
	}
	ctx, cancel = curio.WithTimeout(t.Context(), short)
	defer cancel()
	is(t, conn.WaitRead(ctx), taskTimeout...)
}

// A peer that sends a byte now and then is cut short, again and again, and nothing is lost.
func TestProxiedResumes(t *testing.T) {
	conn, proxy := proxied(t)
	for i := range len(header4) - 1 {
		writeAll(t, proxy, header4[i:i+1])
		ctx, cancel := curio.WithTimeout(t.Context(), 2*time.Millisecond)
		_, same, err := network.ReadProxyHeader(ctx, conn)
		is(t, err, taskTimeout...)
		if cancel(); same != conn {
			t.Fatalf("another connection: %v", same)
		}
	}
	writeAll(t, proxy, header4[len(header4)-1:])
	if _, _, err := network.ReadProxyHeader(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	writeAll(t, proxy, "x")
	if got := receiveAll(t, conn, 1); got != "x" {
		t.Errorf("received %q", got)
	}
}

// Cancelled in the very moment at which the header comes: it is either there now or later.
func TestProxiedCancelRace(t *testing.T) {
	testutil.NoLeaks(t)
	rounds, cut := testutil.Times(1000), 0
	for range rounds {
		below, proxy := acceptedOn(t, "tcp4", "127.0.0.1:0")
		conn := network.NewProxied(below, everyProxy)
		ctx, cancel := context.WithCancel(t.Context())
		var sides sync.WaitGroup
		sides.Go(func() {
			for _, part := range []string{header4[:10], header4[10:] + "he", "llo"} {
				if _, err := io.WriteString(proxy, part); err != nil {
					t.Error(err)
				}
			}
		})
		sides.Go(cancel)
		buf := make([]byte, 1)
		n, err := conn.Recv(ctx, buf)
		if err != nil {
			cut++
			is(t, err, foreignCancel...)
		}
		sides.Wait()
		if got := string(buf[:n]) + receiveAll(t, conn, 5-n); got != "hello" {
			t.Fatalf("received %q", got)
		}
		conn.Close()
		proxy.Close()
	}
	if t.Logf("%d of %d were cut short", cut, rounds); cut == 0 {
		t.Error("nothing was ever cut short")
	}
}

// Many tasks want the header at once. One reads it, the others wait, and can be cancelled.
func TestProxiedByMany(t *testing.T) {
	conn, proxy := proxied(t)
	s := newServer(t)
	const many = 20
	var tasks []*curio.Task[struct{}]
	for i := range many {
		tasks = append(tasks, s.spawn(func(ctx context.Context) error {
			switch i % 3 {
			case 0:
				return readHeader(ctx, conn)
			case 1:
				_, err := conn.SendAll(ctx, []byte("x"))
				return err
			}
			return conn.WaitRead(ctx)
		}))
	}
	count := func(state string) (n int) {
		for _, task := range tasks {
			if task.State() == state {
				n++
			}
		}
		return n
	}
	testutil.Await(t, "turn", func() bool { return count("READ_WAIT") == 1 && count("LOCK_ACQUIRE") == many-1 })
	var rest []*curio.Task[struct{}]
	for i, task := range tasks { // the reader, and some of those behind it
		if task.State() == "READ_WAIT" || i%2 == 0 {
			task.CancelNow()
			is(t, end(t, task), taskCancelled...)
		} else {
			rest = append(rest, task)
		}
	}
	writeAll(t, proxy, header4+"hello")
	for _, task := range rest {
		if err := end(t, task); err != nil {
			t.Error(err)
		}
	}
	if got := receiveAll(t, conn, 5); got != "hello" {
		t.Errorf("received %q", got)
	}
}

// Several receive what came with the header and after it; every byte comes once.
func TestProxiedReceiversShare(t *testing.T) {
	conn, proxy := proxied(t)
	data := testutil.Pattern(1, 20000)
	var counts [256]int
	for _, b := range data {
		counts[b]++
	}
	var mu sync.Mutex
	var tasks sync.WaitGroup
	for range 4 {
		tasks.Go(func() {
			for buf := make([]byte, 7); ; {
				n, err := conn.Recv(t.Context(), buf)
				mu.Lock()
				for _, b := range buf[:n] {
					counts[b]--
				}
				mu.Unlock()
				if err != nil {
					is(t, err, io.EOF)
					return
				}
			}
		})
	}
	writeAll(t, proxy, header4+string(data))
	proxy.Close()
	tasks.Wait()
	if counts != [256]int{} {
		t.Error("bytes are missing, or came twice")
	}
}

// A wrong header is for ever, and says whose it is.
func TestProxiedBadHeader(t *testing.T) {
	conn, proxy := proxied(t)
	writeAll(t, proxy, "GET / HTTP/1.1\r\nHost: everybody\r\n\r\n")
	_, first := conn.Recv(t.Context(), make([]byte, 10))
	want := fmt.Sprintf(`proxy tcp %v->%v: bad PROXY header: there is none, but "GET / HTTP/1"`, conn.LocalAddr(), proxy.LocalAddr())
	if fmt.Sprint(first) != want {
		t.Errorf("the error is %q, want %q", first, want)
	}
	_, sent := conn.SendAll(t.Context(), []byte("x"))
	_, same, read := network.ReadProxyHeader(t.Context(), conn)
	if same != conn {
		t.Errorf("another connection: %v", same)
	}
	for _, err := range []error{first, sent, read, conn.WaitRead(t.Context()), readHeader(t.Context(), conn)} {
		var op *net.OpError
		if !errors.Is(err, proxyproto.ErrHeader) || !errors.As(err, &op) || op.Op != "proxy" {
			t.Errorf("%v", err)
		}
	}
	if header, ok := network.ProxyHeaderOf(conn); ok {
		t.Errorf("it has a header, %v", header)
	}
	if conn.RemoteAddr().String() != proxy.LocalAddr().String() {
		t.Errorf("it comes from %v", conn.RemoteAddr())
	}
}

// The end, before the header and in the middle of it.
func TestProxiedEnds(t *testing.T) {
	conn, proxy := proxied(t)
	proxy.Close()
	err := readHeader(t.Context(), conn)
	is(t, err, io.EOF)
	if op, ok := err.(*net.OpError); !ok || op.Op != "proxy" {
		t.Errorf("%v", err)
	}
	conn, proxy = proxied(t)
	writeAll(t, proxy, header4[:20])
	proxy.Close()
	if err := readHeader(t.Context(), conn); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("in the middle: %v", err)
	}
	conn, proxy = proxied(t)
	writeAll(t, proxy, header4)
	proxy.Close()
	if n, err := conn.Recv(t.Context(), make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after the header: %d, %v", n, err)
	}
}

// Errors after the header are those of the connection with the proxy.
func TestProxiedReset(t *testing.T) {
	conn, proxy := proxied(t)
	writeAll(t, proxy, header4)
	if err := readHeader(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := proxy.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	proxy.Close()
	_, err := conn.Recv(t.Context(), make([]byte, 1))
	op, ok := err.(*net.OpError)
	if !ok || op.Op != "recv" || op.Addr.String() != proxy.LocalAddr().String() || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
}

func TestProxiedClosed(t *testing.T) {
	// While somebody reads the header, and others wait for him.
	conn, proxy := proxied(t)
	s := newServer(t)
	tasks := []*curio.Task[struct{}]{
		s.spawn(func(ctx context.Context) error { return readHeader(ctx, conn) }),
		s.spawn(func(ctx context.Context) error { return readHeader(ctx, conn) }),
	}
	for _, task := range tasks {
		testutil.Await(t, "wait", func() bool { return task.State() == "READ_WAIT" || task.State() == "LOCK_ACQUIRE" })
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	for _, task := range tasks {
		is(t, end(t, task), net.ErrClosed)
	}
	is(t, conn.Close(), net.ErrClosed)
	proxy.Close()

	// With something left to receive.
	conn, proxy = proxied(t)
	writeAll(t, proxy, header4+"hello")
	if err := readHeader(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	_, err := conn.Recv(t.Context(), make([]byte, 1))
	is(t, err, net.ErrClosed)
	is(t, conn.WaitRead(t.Context()), net.ErrClosed)
}

// Whose header is believed.
func TestProxiedTrust(t *testing.T) {
	testutil.NoLeaks(t)
	only := func(prefixes ...string) *network.ProxyConfig {
		config := new(network.ProxyConfig)
		for _, p := range prefixes {
			config.From = append(config.From, netip.MustParsePrefix(p))
		}
		return config
	}
	for _, test := range []struct {
		on, addr string
		config   *network.ProxyConfig
		want     bool
	}{
		{"tcp4", "127.0.0.1:0", only("127.0.0.0/8"), true},
		{"tcp4", "127.0.0.1:0", only("10.0.0.0/8", "127.0.0.1/32"), true},
		{"tcp4", "127.0.0.1:0", only("127.0.0.2/32"), false},
		{"tcp4", "127.0.0.1:0", only("::/0"), false},
		{"tcp4", "127.0.0.1:0", &network.ProxyConfig{Unix: true}, false},
		{"tcp", "[::]:0", only("127.0.0.0/8"), true}, // seen as ::ffff:127.0.0.1
		{"tcp", "[::]:0", only("::/0"), false},
		{"tcp6", "[::1]:0", only("::1/128"), true},
		{"tcp6", "[::1]:0", only("::2/128", "0.0.0.0/0"), false},
		{"unix", "proxied.sock", &network.ProxyConfig{Unix: true}, true},
		{"unix", "proxied.sock", only("0.0.0.0/0", "::/0"), false},
	} {
		t.Run(fmt.Sprint(test.on, test.config), func(t *testing.T) {
			if test.on == "tcp6" {
				testutil.NeedIPv6(t)
			}
			if test.on == "unix" {
				test.addr = filepath.Join(t.TempDir(), test.addr)
			}
			conn, peer := acceptedOn(t, test.on, test.addr)
			layered := network.NewProxied(conn, test.config)
			if got := layered != network.Conn(conn); got != test.want {
				t.Fatalf("%v is a proxy: %v", conn.RemoteAddr(), got)
			}
			writeAll(t, peer, header4+"hello")
			want := "hello"
			if !test.want { // as it is, header and all
				want = header4 + want
			}
			if got := receiveAll(t, layered, len(want)); got != want {
				t.Errorf("received %q", got)
			}
			if header, ok := network.ProxyHeaderOf(layered); ok != test.want {
				t.Errorf("the header is %v, %v", header, ok)
			}
		})
	}
}

func TestProxyConfig(t *testing.T) {
	if plain := (layerAbove{}); network.NewProxied(plain, nil) != network.Conn(plain) {
		t.Error("without a config it is another connection")
	}
	prefix := func(p string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(p)} }
	mapped := netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 104)
	for says, config := range map[string]network.ProxyConfig{
		"":             *everyProxy,
		"names no":     {},
		"negative":     {Unix: true, MaxHeader: -1},
		"not valid":    {From: append(prefix("10.0.0.0/8"), netip.Prefix{})},
		"matches no p": {From: []netip.Prefix{mapped}},
	} {
		if err := network.CheckConfig(&config); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v", config, err)
		}
	}
}

// A header that is longer than MaxHeader is refused as soon as that can be seen: nobody waits
// for more of it.
func TestProxyMaxHeader(t *testing.T) {
	long := formatted(t, large(100))
	for _, test := range []struct {
		data string
		max  int
		good bool
	}{
		{header4, len(header4), true},
		{header4, len(header4) - 1, false},
		{header4[:20], 20, false},
		{long, len(long), true},
		{long[:16], len(long) - 1, false},
		{long[:2], 15, false}, // of version 2, of which 16 bytes are the least
	} {
		conn, proxy := proxied(t)
		conn = network.NewProxied(conn.(interface{ Below() network.Conn }).Below(), &network.ProxyConfig{From: everyProxy.From, MaxHeader: test.max})
		writeAll(t, proxy, test.data)
		ctx, cancel := curio.WithTimeout(t.Context(), testutil.Patience)
		err := readHeader(ctx, conn)
		cancel()
		if test.good {
			must(t, err)
			continue
		}
		is(t, err, proxyproto.ErrHeader)
		if want := fmt.Sprintf("at most %d are accepted", test.max); !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v, want %q", err, want)
		}
		_, again := conn.Recv(t.Context(), make([]byte, 1))
		is(t, again, proxyproto.ErrHeader)
	}
}

// What a header says of its length is not believed: memory grows with what comes.
func TestProxiedMemory(t *testing.T) {
	conn, proxy := proxied(t)
	data := formatted(t, large(16000))
	sent := 0
	for _, size := range []int{16, 255, 256, 600, 5000} {
		writeAll(t, proxy, data[sent:size])
		sent = size
		ctx, cancel := curio.WithTimeout(t.Context(), short)
		is(t, readHeader(ctx, conn), taskTimeout...)
		cancel()
		if memory := network.ProxyMemory(conn); memory > max(256, 4*size) {
			t.Errorf("%d bytes of memory for %d", memory, size)
		}
	}
	writeAll(t, proxy, data[sent:]+"hello")
	if got := receiveAll(t, conn, 5); got != "hello" {
		t.Errorf("received %q", got)
	}
	if memory := network.ProxyMemory(conn); memory != 0 {
		t.Errorf("%d bytes of memory after the header", memory)
	}
}
