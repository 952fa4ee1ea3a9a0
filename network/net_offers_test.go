package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// Libraries look for methods on a connection by type assertions. An adapter either has such
// a method, which then works as package net's does, or does not have it.

// An ends is a connection and its peer, which is one of package net.
type ends struct {
	ours any
	peer net.Conn
	on   *socket.Socket // at the bottom of ours, if known
}

// An offer is a method, or a few that belong together. try reports whether they are there,
// and checks that they work. Each try gets ends of its own.
type offer struct {
	name string
	try  func(t *testing.T, e ends) bool
}

var offers = []offer{
	{"ReaderFrom", tryReaderFrom},
	{"WriterTo", tryWriterTo},
	{"CloseWrite", tryCloseWrite},
	{"CloseRead", tryCloseRead},
	{"SyscallConn", trySyscallConn},
	{"File", tryFile},
	{"Buffers", tryBuffers},
	{"NoDelay", tryNoDelay},
	{"Linger", tryLinger},
	{"KeepAlive", tryKeepAlive},
	{"ConnectionState", tryConnectionState},
	{"Handshake", tryHandshake},
	{"NetConn", tryNetConn},
	{"PacketConn", tryPacketConn},
	{"UDP", tryUDP},
	{"IP", tryIP},
	{"Unix", tryUnix},
}

// The sets of offers.
const (
	anyConn    = "ReaderFrom"
	halfConn   = anyConn + " CloseWrite"
	socketConn = halfConn + " CloseRead SyscallConn File Buffers"
	tcpConn    = socketConn + " NoDelay Linger KeepAlive"
	tlsOfOurs  = halfConn + " ConnectionState Handshake"
	realTLS    = "CloseWrite ConnectionState Handshake NetConn"
	packetConn = "SyscallConn File Buffers PacketConn"
)

// adapted lists what may be below an adapter, and what the adapter then has to offer. The
// connections of package net are in the list, too, which proves that the checks do not ask
// for more than package net does.
var adapted = []struct {
	name   string
	make   func(t *testing.T) ends
	offers string
}{
	{"net/TCP", theirsOn("tcp", "127.0.0.1:0"), tcpConn + " WriterTo"},
	{"net/Unix", theirsOn("unix", ""), "CloseWrite CloseRead SyscallConn File Buffers Unix"},
	{"net/UDP", theirUDP, packetConn + " UDP"},
	{"net/TLS", theirTLS, realTLS},

	{"NetConn/TCP", onNetConnOf(kind{}), tcpConn},
	{"NetConn/Unix", onNetConnOf(kind{unix: true}), socketConn},
	{"NetConn/TLS", onNetConnOf(kind{tls: true}), tlsOfOurs},
	{"NetConn/TLS on Unix", onNetConnOf(kind{unix: true, tls: true}), tlsOfOurs},
	{"NetConn/PROXY", onNetConnOf(kind{proxy: true}), halfConn},
	{"NetConn/PROXY on Unix", onNetConnOf(kind{unix: true, proxy: true}), halfConn},
	{"NetConn/PROXY and TLS", onNetConnOf(kind{proxy: true, tls: true}), tlsOfOurs},
	{"NetConn/idle", onImpatient, halfConn},
	{"NetConn/bare", onBare, halfConn},
	{"NetConn/foreign TCP", onForeignConn(theirsOn("tcp", "127.0.0.1:0")), halfConn},
	{"NetConn/foreign Unix", onForeignConn(theirsOn("unix", "")), halfConn},
	{"NetConn/foreign TLS", onForeignConn(theirTLS), halfConn},
	{"NetConn/foreign without halves", onForeignConn(thePipe), anyConn},
	{"NetConn/idle on foreign without halves", onImpatientPipe, anyConn},
	{"NetConn/TLS on foreign without halves", onTLSPipe, tlsOfOurs},
	{"NetConn/UDP", onUDP(func(t *testing.T, s *socket.Socket) any { return network.NetConn(t.Context(), s) }), packetConn + " UDP"},
	{"NetConn/unixgram", onUnixgram(func(t *testing.T, s *socket.Socket) any { return network.NetConn(t.Context(), s) }), packetConn},

	{"DialContext/TCP", onDialed("tcp", "127.0.0.1:0"), tcpConn},
	{"DialContext/Unix", onDialed("unix", ""), socketConn},
	{"DialContext/UDP", onDialedUDP, packetConn + " UDP"},

	{"NetListener/TCP", onNetListenerOf(kind{}, network.ServerConfig{}), tcpConn},
	{"NetListener/Unix", onNetListenerOf(kind{unix: true}, network.ServerConfig{}), socketConn},
	{"NetListener/TLS", onNetListenerOf(kind{tls: true}, network.ServerConfig{}), realTLS},
	{"NetListener/PROXY", onNetListenerOf(kind{proxy: true}, network.ServerConfig{}), halfConn},
	{"NetListener/PROXY and TLS", onNetListenerOf(kind{proxy: true, tls: true}, network.ServerConfig{}), realTLS},
	{"NetListener/idle", onNetListenerOf(kind{}, network.ServerConfig{IdleTimeout: time.Hour}), halfConn},
	{"NetListener/limited", onNetListenerOf(kind{}, network.ServerConfig{Lifetime: time.Hour, MaxConnections: 1}), tcpConn},
	{"NetListener/limited TLS", onNetListenerOf(kind{tls: true}, network.ServerConfig{Lifetime: time.Hour, MaxConnections: 1, IdleTimeout: time.Hour}), realTLS},
	{"NetListener/foreign", onForeignListenerOf, halfConn},

	{"NetPacketConn/UDP", onUDP(func(t *testing.T, s *socket.Socket) any { return network.NetPacketConn(t.Context(), s) }), packetConn + " UDP"},
	{"NetPacketConn/unixgram", onUnixgram(func(t *testing.T, s *socket.Socket) any { return network.NetPacketConn(t.Context(), s) }), packetConn},
	{"NetPacketConn/IP", onRaw, packetConn + " IP"},
}

func TestOffers(t *testing.T) {
	for _, a := range adapted {
		want := strings.Fields(a.offers)
		for _, o := range offers {
			t.Run(a.name+"/"+o.name, func(t *testing.T) {
				testutil.NoLeaks(t)
				e := a.make(t)
				if offered := o.try(t, e); offered != slices.Contains(want, o.name) {
					t.Errorf("%T has it: %v", e.ours, offered)
				}
			})
		}
	}
}

// The functions that make the ends.

func closedAtEnd(t *testing.T, e ends) ends {
	t.Helper()
	must(t, e.peer.SetDeadline(time.Now().Add(testutil.Patience)))
	t.Cleanup(func() {
		e.peer.Close()
		if c, ok := e.ours.(io.Closer); ok {
			c.Close()
		}
	})
	return e
}

func theirsOn(on, addr string) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		if on == "unix" {
			addr = socketPath(t)
		}
		l, err := net.Listen(on, addr)
		must(t, err)
		defer l.Close()
		peer, err := net.Dial(on, l.Addr().String())
		must(t, err)
		ours, err := l.Accept()
		must(t, err)
		return closedAtEnd(t, ends{ours: ours, peer: peer})
	}
}

// inTLS puts TLS on both ends. Each does its handshake when it is first used, so both must
// be used at the same time.
func inTLS(t *testing.T, e ends, server func(config *tls.Config) any) ends {
	t.Helper()
	p := kind{tls: true}.place(t)
	e.ours = server(p.server)
	e.peer = tls.Client(e.peer, p.client)
	return e
}

func theirTLS(t *testing.T) ends {
	e := theirsOn("tcp", "127.0.0.1:0")(t)
	return shaken(t, inTLS(t, e, func(config *tls.Config) any { return tls.Server(e.ours.(net.Conn), config) }))
}

// shaken does the handshakes of both ends. After that the peer sends nothing more, so ours
// is idle.
func shaken(t *testing.T, e ends) ends {
	t.Helper()
	client, ok := e.peer.(*tls.Conn)
	if !ok {
		return e
	}
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if h, ok := e.ours.(interface{ Handshake() error }); ok {
		must(t, h.Handshake())
	} else {
		_, err := e.ours.(net.Conn).Write(nil)
		must(t, err)
	}
	must(t, testutil.Receive(t, "handshake", done))
	return e
}

func onNetConnOf(k kind) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		p := k.place(t)
		l, err := p.listen(t.Context(), network.ServerConfig{})
		must(t, err)
		defer l.Close()
		peer := p.dial(t, l.LocalAddr().String())
		conn, err := l.Accept(t.Context())
		must(t, err)
		return shaken(t, closedAtEnd(t, ends{network.NetConn(t.Context(), conn), peer, network.SocketOf(conn)}))
	}
}

func onNetListenerOf(k kind, config network.ServerConfig) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		p := k.place(t)
		l, err := p.listen(t.Context(), config)
		must(t, err)
		listener := network.NetListener(t.Context(), l)
		defer listener.Close()
		peer := p.dial(t, l.LocalAddr().String())
		conn, err := listener.Accept()
		must(t, err)
		return shaken(t, closedAtEnd(t, ends{ours: conn, peer: peer}))
	}
}

func onForeignListenerOf(t *testing.T) ends {
	theirs, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	listener := network.NetListener(t.Context(), network.FromListener(theirs, nil))
	defer listener.Close()
	peer := testutil.Dial(t, theirs.Addr().String())
	conn, err := listener.Accept()
	must(t, err)
	return closedAtEnd(t, ends{ours: conn, peer: peer})
}

func onImpatient(t *testing.T) ends {
	a, b := acceptedOn(t, "tcp", "127.0.0.1:0")
	return closedAtEnd(t, ends{network.NetConn(t.Context(), network.Impatient(a, time.Hour)), b, a})
}

func onBare(t *testing.T) ends {
	a, b := acceptedOn(t, "tcp", "127.0.0.1:0")
	return closedAtEnd(t, ends{ours: network.NetConn(t.Context(), bareConn{a}), peer: b})
}

func onForeignConn(below func(t *testing.T) ends) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		e := below(t)
		e.ours = network.NetConn(t.Context(), network.FromConn(e.ours.(net.Conn)))
		return e
	}
}

func thePipe(t *testing.T) ends {
	a, b := net.Pipe()
	return closedAtEnd(t, ends{ours: a, peer: b})
}

func onImpatientPipe(t *testing.T) ends {
	e := thePipe(t)
	e.ours = network.NetConn(t.Context(), network.Impatient(network.FromConn(e.ours.(net.Conn)), time.Hour))
	return e
}

func onTLSPipe(t *testing.T) ends {
	e := thePipe(t)
	return shaken(t, inTLS(t, e, func(config *tls.Config) any {
		return network.NetConn(t.Context(), network.TLSServer(network.FromConn(e.ours.(net.Conn)), config))
	}))
}

func onDialed(on, addr string) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		if on == "unix" {
			addr = socketPath(t)
		}
		l, err := net.Listen(on, addr)
		must(t, err)
		defer l.Close()
		conn, err := network.DialContext(t.Context(), on, l.Addr().String())
		must(t, err)
		peer, err := l.Accept()
		must(t, err)
		return closedAtEnd(t, ends{ours: conn, peer: peer})
	}
}

// A toConn is a packet connection that sends everything to one address.
type toConn struct {
	net.PacketConn
	to net.Addr
}

func (c toConn) Read(buf []byte) (int, error) {
	n, _, err := c.ReadFrom(buf)
	return n, err
}
func (c toConn) Write(buf []byte) (int, error) { return c.WriteTo(buf, c.to) }
func (c toConn) RemoteAddr() net.Addr          { return c.to }

func packetPeer(t *testing.T, on string) net.PacketConn {
	t.Helper()
	addr := "127.0.0.1:0"
	if on == "unixgram" {
		addr = socketPath(t)
	}
	peer, err := net.ListenPacket(on, addr)
	must(t, err)
	return peer
}

func theirUDP(t *testing.T) ends {
	ours, peer := packetPeer(t, "udp"), packetPeer(t, "udp")
	return closedAtEnd(t, ends{ours: ours, peer: toConn{peer, ours.LocalAddr()}})
}

func onUDP(adapt func(t *testing.T, s *socket.Socket) any) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		s, peer := udp(t), packetPeer(t, "udp")
		return closedAtEnd(t, ends{adapt(t, s), toConn{peer, s.LocalAddr()}, s})
	}
}

func onUnixgram(adapt func(t *testing.T, s *socket.Socket) any) func(t *testing.T) ends {
	return func(t *testing.T) ends {
		s, peer := unixgram(t), packetPeer(t, "unixgram")
		return closedAtEnd(t, ends{adapt(t, s), toConn{peer, s.LocalAddr()}, s})
	}
}

func onDialedUDP(t *testing.T) ends {
	peer := packetPeer(t, "udp")
	conn, err := network.DialContext(t.Context(), "udp", peer.LocalAddr().String())
	must(t, err)
	return closedAtEnd(t, ends{ours: conn, peer: toConn{peer, conn.LocalAddr()}})
}

// onRaw makes a raw socket of a protocol for experiments, RFC 3692. It receives all that is
// sent to this machine, also by itself.
func onRaw(t *testing.T) ends {
	const experiment = 253
	s, err := socket.New(socket.AF_INET, socket.SOCK_RAW, experiment)
	if errors.Is(err, os.ErrPermission) {
		t.Skip("a raw socket needs a privilege")
	}
	must(t, err)
	closeAtEnd(t, s)
	must(t, s.Bind(&net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}))
	peer, err := net.ListenIP("ip4:253", &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	return closedAtEnd(t, ends{network.NetPacketConn(t.Context(), s), toConn{peer, s.LocalAddr()}, s})
}

// The functions that use the ends.

// hears checks that the peer receives what ours has sent.
func hears(t *testing.T, conn io.Reader, want string) {
	t.Helper()
	buf := make([]byte, len(want)+1)
	n := 0
	for n < len(want) {
		k, err := conn.Read(buf[n:])
		if err != nil {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		n += k
	}
	if string(buf[:n]) != want {
		t.Errorf("%q came, not %q", buf[:n], want)
	}
}

// send sends from ours to the peer.
func (e ends) send(t *testing.T, message string) {
	t.Helper()
	var err error
	if c, ok := e.ours.(net.PacketConn); ok && e.ours.(net.Conn).RemoteAddr() == nil {
		_, err = c.WriteTo([]byte(message), e.peer.LocalAddr())
	} else {
		_, err = e.ours.(net.Conn).Write([]byte(message))
	}
	must(t, err)
}

func tryReaderFrom(t *testing.T, e ends) bool {
	c, ok := e.ours.(io.ReaderFrom)
	if !ok {
		return false
	}
	heard := make(chan struct{})
	go func() { defer close(heard); hears(t, e.peer, story) }()
	if n, err := c.ReadFrom(strings.NewReader(story)); n != int64(len(story)) || err != nil {
		t.Error(n, err)
	}
	testutil.Receive(t, "story", heard)
	return true
}

func tryWriterTo(t *testing.T, e ends) bool {
	c, ok := e.ours.(io.WriterTo)
	if !ok {
		return false
	}
	writeAll(t, e.peer, story)
	must(t, e.peer.Close())
	var got strings.Builder
	if _, err := c.WriteTo(&got); err != nil || got.String() != story {
		t.Errorf("%q, %v", got.String(), err)
	}
	return true
}

func tryCloseWrite(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ CloseWrite() error })
	if !ok {
		return false
	}
	ended := make(chan error, 1)
	go func() { ended <- c.CloseWrite() }()
	hears(t, io.MultiReader(e.peer, strings.NewReader("end")), "end")
	must(t, testutil.Receive(t, "end", ended))
	go func() { _, _ = io.WriteString(e.peer, "back") }()
	hears(t, e.ours.(net.Conn), "back")
	return true
}

func tryCloseRead(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ CloseRead() error })
	if !ok {
		return false
	}
	must(t, c.CloseRead())
	if n, err := e.ours.(net.Conn).Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("after CloseRead: %d, %v", n, err)
	}
	e.send(t, "still")
	hears(t, e.peer, "still")
	return true
}

func tryFile(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ File() (*os.File, error) })
	if !ok {
		return false
	}
	f, err := c.File()
	must(t, err)
	s, err := socket.FromConn(f)
	must(t, errors.Join(err, f.Close()))
	must(t, e.ours.(io.Closer).Close())
	_, err = s.SendTo(t.Context(), []byte("a duplicate"), 0, unconnected(e))
	must(t, errors.Join(err, s.Close()))
	if _, raw := e.ours.(interface {
		ReadFromIP([]byte) (int, *net.IPAddr, error)
	}); !raw {
		hears(t, e.peer, "a duplicate")
	}
	return true
}

// unconnected returns the address that a packet connection has to send to, or nil if it is
// connected.
func unconnected(e ends) net.Addr {
	if _, ok := e.peer.(toConn); ok && e.ours.(net.Conn).RemoteAddr() == nil {
		return e.peer.LocalAddr()
	}
	return nil
}

// optionOf reads an option of the socket at the bottom of ours.
func optionOf[T any](t *testing.T, e ends, option interface {
	Get(s *socket.Socket) (T, error)
},
) T {
	t.Helper()
	s, err := socket.FromConn(e.ours.(syscall.Conn))
	must(t, err)
	defer s.Close()
	value, err := option.Get(s)
	must(t, err)
	return value
}

func tryBuffers(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface {
		SetReadBuffer(bytes int) error
		SetWriteBuffer(bytes int) error
	})
	if !ok {
		return false
	}
	for _, size := range []int{16 << 10, 64 << 10} {
		must(t, errors.Join(c.SetReadBuffer(size), c.SetWriteBuffer(size)))
		if r, w := optionOf(t, e, socket.RecvBufferSize), optionOf(t, e, socket.SendBufferSize); r < size || w < size || r > 4*size || w > 4*size {
			t.Errorf("buffers of %d and %d, want %d", r, w, size)
		}
	}
	return true
}

func tryNoDelay(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ SetNoDelay(noDelay bool) error })
	if !ok {
		return false
	}
	for _, on := range []bool{false, true} {
		must(t, c.SetNoDelay(on))
		if got := optionOf(t, e, socket.NoDelay); got != on {
			t.Errorf("TCP_NODELAY is %v", got)
		}
	}
	return true
}

func tryLinger(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ SetLinger(sec int) error })
	if !ok {
		return false
	}
	for sec, want := range map[int]time.Duration{5: 5 * time.Second, -1: -time.Second, 0: 0} {
		must(t, c.SetLinger(sec))
		if got := optionOf(t, e, socket.Linger); got != want {
			t.Errorf("SO_LINGER is %v for %d", got, sec)
		}
	}
	must(t, c.SetLinger(0))
	must(t, e.ours.(io.Closer).Close())
	if _, err := e.peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want a reset", err)
	}
	return true
}

func tryKeepAlive(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface {
		SetKeepAlive(on bool) error
		SetKeepAlivePeriod(d time.Duration) error
		SetKeepAliveConfig(config net.KeepAliveConfig) error
	})
	if !ok {
		return false
	}
	type all struct {
		on             bool
		idle, interval time.Duration
		count          int
	}
	is := func(want all) {
		t.Helper()
		got := all{
			optionOf(t, e, socket.KeepAlive), optionOf(t, e, socket.KeepAliveIdle),
			optionOf(t, e, socket.KeepAliveInterval), optionOf(t, e, socket.KeepAliveCount),
		}
		if got != want {
			t.Errorf("keep-alive is %v, want %v", got, want)
		}
	}
	is(all{true, 15 * time.Second, 15 * time.Second, 9}) // the default
	must(t, errors.Join(c.SetKeepAlive(false), c.SetKeepAlivePeriod(1500*time.Millisecond)))
	is(all{false, 2 * time.Second, 15 * time.Second, 9})
	must(t, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: 3 * time.Second, Count: 4}))
	is(all{true, 2 * time.Second, 3 * time.Second, 4})
	must(t, c.SetKeepAliveConfig(net.KeepAliveConfig{}))
	is(all{false, 15 * time.Second, 15 * time.Second, 9})
	return true
}

func tryConnectionState(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return false
	}
	if state := c.ConnectionState(); !state.HandshakeComplete || state.ServerName != "localhost" {
		t.Errorf("%+v", state)
	}
	return true
}

func tryHandshake(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface {
		Handshake() error
		HandshakeContext(ctx context.Context) error
	})
	if !ok {
		return false
	}
	must(t, errors.Join(c.Handshake(), c.HandshakeContext(t.Context())))
	return true
}

func tryNetConn(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface{ NetConn() net.Conn })
	if !ok {
		return false
	}
	if below := c.NetConn(); below.RemoteAddr().String() != e.ours.(net.Conn).RemoteAddr().String() {
		t.Errorf("below is %v", below.RemoteAddr())
	}
	return true
}

func tryPacketConn(t *testing.T, e ends) bool {
	c, ok := e.ours.(net.PacketConn)
	if !ok {
		return false
	}
	if _, stream := e.peer.(toConn); !stream {
		return false // a *net.UnixConn is always a net.PacketConn
	}
	writeAll(t, e.peer, "to ours")
	buf := make([]byte, 100)
	n, from, err := c.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "to ours" || from.String() != e.peer.LocalAddr().String() {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	return true
}

func tryUnix(_ *testing.T, e ends) bool {
	_, ok := e.ours.(interface {
		ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error)
	})
	return ok
}

func tryUDP(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface {
		ReadFromUDP(b []byte) (int, *net.UDPAddr, error)
		ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
		ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error)
		ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
		WriteToUDP(b []byte, addr *net.UDPAddr) (int, error)
		WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error)
		WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error)
		WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
	})
	if !ok {
		return false
	}
	peer := e.peer.LocalAddr().(*net.UDPAddr)
	buf := make([]byte, 4)
	for _, read := range []func() (int, string, error){
		func() (int, string, error) { n, from, err := c.ReadFromUDP(buf); return n, from.String(), err },
		func() (int, string, error) { n, from, err := c.ReadFromUDPAddrPort(buf); return n, from.String(), err },
		func() (int, string, error) {
			n, _, flags, from, err := c.ReadMsgUDP(buf, nil)
			if flags&syscall.MSG_TRUNC == 0 {
				t.Error("it does not tell that the datagram was longer")
			}
			return n, from.String(), err
		},
		func() (int, string, error) {
			n, oobn, _, from, err := c.ReadMsgUDPAddrPort(buf, make([]byte, 100))
			if oobn != 0 {
				t.Errorf("%d bytes of ancillary data", oobn)
			}
			return n, from.String(), err
		},
	} {
		writeAll(t, e.peer, "12345")
		if n, from, err := read(); n != 4 || string(buf) != "1234" || from != peer.String() || err != nil {
			t.Errorf("%d, %q from %v, %v", n, buf, from, err)
		}
	}
	to, toPort := peer, peer.AddrPort()
	if unconnected(e) == nil {
		to, toPort = nil, netip.AddrPort{}
	}
	writes := []func() error{
		func() error { _, _, err := c.WriteMsgUDP([]byte("out"), nil, to); return err },
		func() error { _, _, err := c.WriteMsgUDPAddrPort([]byte("out"), nil, toPort); return err },
	}
	if to != nil {
		writes = append(writes,
			func() error { return second(c.WriteToUDP([]byte("out"), to)) },
			func() error { return second(c.WriteToUDPAddrPort([]byte("out"), toPort)) })
	}
	for _, write := range writes {
		must(t, write())
		hears(t, e.peer, "out")
	}
	return true
}

func tryIP(t *testing.T, e ends) bool {
	c, ok := e.ours.(interface {
		ReadFromIP(b []byte) (int, *net.IPAddr, error)
		ReadMsgIP(b, oob []byte) (n, oobn, flags int, addr *net.IPAddr, err error)
		WriteToIP(b []byte, addr *net.IPAddr) (int, error)
		WriteMsgIP(b, oob []byte, addr *net.IPAddr) (n, oobn int, err error)
	})
	if !ok {
		return false
	}
	to := e.peer.LocalAddr().(*net.IPAddr)
	must(t, second(c.WriteToIP([]byte("one"), to)))
	_, _, err := c.WriteMsgIP([]byte("two"), nil, to)
	must(t, err)
	buf := make([]byte, 100)
	if n, from, err := c.ReadFromIP(buf); err != nil || string(buf[:n]) != "one" || !from.IP.Equal(to.IP) {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	if n, _, _, from, err := c.ReadMsgIP(buf, nil); err != nil || n != 20+3 || string(buf[20:n]) != "two" || !from.IP.Equal(to.IP) {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	return true
}
