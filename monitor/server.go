package monitor

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A Server is a monitor that listens. [On] makes one. All methods are safe for concurrent use. A
// Server must not be copied.
//
// A connection begins undecided. Its first line makes it one of HTTP, which is handed to package net/http, or one of
// commands, for good. A client that is silent for a while gets the prompt, and can only give commands from then on.
type Server struct {
	view      *view
	ctx       context.Context // done when the server is closed
	cancel    context.CancelFunc
	addr      string
	listeners []net.Listener
	http      *http.Server
	handed    handed

	mu     sync.Mutex
	closed bool
	conns  []*conn // the oldest first

	running sync.WaitGroup // goroutines, except http's
}

// On makes a monitor listen at an address. For a Unix socket, the address is "unix:" and a path, or
// a path with a slash in it. "%p" in the path is replaced by the number of the process. For TCP, the
// address is "host:port". The host must be localhost or a loopback address; localhost means both
// 127.0.0.1 and ::1, if the machine has them, whatever its hosts file says. Port 0 means any port
// that is free. Addresses that other machines can reach are refused, and so are Linux's abstract
// socket names.
//
// The socket at a path gets the mode 0600. A socket on which no program listens any more is
// replaced. Any other file that is there is left alone, and On fails. If the address is in use, the
// error is syscall.EADDRINUSE.
//
// Without the option [Token], the token is the one in the environment variable CURIO_MONITOR_TOKEN,
// or a random one.
func On(addr string, opts ...Option) (*Server, error) {
	set := apply(opts)
	set.tokenOfEnvironment()
	if err := set.checkToken(); err != nil {
		return nil, err
	}
	if !set.given {
		set.token = newToken()
	}
	listeners, name, err := listen(addr)
	if err != nil {
		return nil, err
	}
	s := &Server{view: newView(set), addr: name, listeners: listeners}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.handed = handed{make(chan net.Conn), s.ctx, listeners[0].Addr()}
	s.http = &http.Server{
		Handler: newAPI(s.view),
		// A request is short, and an answer is complete before it is sent.
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       log.New(io.Discard, "", 0), // of clients that have gone
		ConnContext:    func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	s.running.Add(1 + len(listeners))
	// Goroutines begin with the pprof labels of the one that starts them, except a timer's.
	time.AfterFunc(0, s.run)
	return s, nil
}

const (
	headerTime  = 30 * time.Second
	writeTime   = time.Minute
	idleTime    = 2 * time.Minute
	commandTime = time.Minute // for a line of a client that has not given the token
)

// greetAfter is how long a client of a Unix socket may be silent until it gets the prompt. On TCP it gets none before its
// first line: browsers open connections to have them ready, and would take the prompt for an answer.
var greetAfter = time.Second

func (s *Server) run() {
	for _, l := range s.listeners {
		go s.accept(l)
	}
	defer s.running.Done()
	_ = s.http.Serve(&s.handed) // until it is closed
}

// Addr returns the address in the form that [On] takes, with the actual port.
func (s *Server) Addr() string { return s.addr }

// Token returns the token.
func (s *Server) Token() string { return s.view.token }

// URL returns the address of the web page, including the token, for a browser. For a Unix socket,
// which browsers cannot connect to, it returns "". The token is in the fragment, which a browser
// sends to no server. Do not log the URL.
func (s *Server) URL() string {
	addr, ok := s.listeners[0].Addr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	return "http://" + addr.String() + "/#token=" + url.PathEscape(s.view.token)
}

// Close stops listening, disconnects the clients, and removes the socket's file. Requests that
// have come already are still answered, and changes logged, because the program may end as the
// result of a request. Close waits for that for at most a second. The error is the first one of closing a
// listener, if this is the first call.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	if again {
		return nil
	}
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	// A session looks at ctx after it has set its deadline, so it does not wait for another line.
	s.cancel()
	for _, c := range conns {
		if !c.web.Load() {
			_ = c.SetReadDeadline(time.Unix(1, 0))
		}
	}
	bound, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	_ = s.http.Shutdown(bound) // there is nobody to tell
	s.settle(bound)
	_ = s.http.Close()
	for _, c := range conns {
		c.Conn.Close()
	}
	return errors.Join(errs...)
}

const closeTime = time.Second

// settle waits for goroutines and for what they log.
func (s *Server) settle(bound context.Context) {
	settled, cancel := context.WithCancel(bound)
	go func() {
		defer cancel()
		s.running.Wait()
		for s.view.logging.Load() > 0 && rest(bound, time.Millisecond) {
			// There are few of them, and no more come.
		}
	}()
	<-settled.Done()
}

// accept takes connections until the listener is closed.
func (s *Server) accept(l net.Listener) {
	defer s.running.Done()
	for pause := 5 * time.Millisecond; ; {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.begin(l, nc)
		case s.ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		default: // no descriptor is left, perhaps
			rest(s.ctx, pause)
			pause = min(2*pause, time.Second)
		}
	}
}

// mostConns is how many connections there are at most.
const mostConns = 64

// begin serves a connection. If there are too many, it takes the place of one that has not shown the token: each user of
// the machine can make connections.
func (s *Server) begin(l net.Listener, nc net.Conn) {
	c := &conn{Conn: nc, in: bufio.NewReaderSize(nc, longestLine+2), own: isOwn(l, nc), server: s}
	c.trusted.Store(c.own)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	if len(s.conns) >= mostConns {
		oldest := -1
		for i, other := range s.conns {
			if !other.trusted.Load() {
				oldest = i
				break
			}
		}
		if oldest < 0 {
			nc.Close()
			return
		}
		s.conns[oldest].Conn.Close() // its goroutine finds out
		s.conns = append(s.conns[:oldest], s.conns[oldest+1:]...)
	}
	s.conns = append(s.conns, c)
	s.running.Add(1)
	go s.serve(c)
}

// forget is called when a connection has ended.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.conns {
		if other == c {
			s.conns = append(s.conns[:i], s.conns[i+1:]...)
			return
		}
	}
}

// serve finds out what a connection is for.
func (s *Server) serve(c *conn) {
	defer s.running.Done()
	defer func() {
		if recover() != nil { // a monitor must not end the program that it watches
			c.Close()
		}
	}()
	switch c.kind() {
	case forHTTP:
		c.web.Store(true)
		if !s.handed.put(c) {
			c.Close()
		}
	case forLines:
		c.converse()
		c.Close()
	default:
		c.Close()
	}
}

// A conn is a connection.
type conn struct {
	net.Conn
	in      *bufio.Reader
	own     bool        // at the other end is this user, or the superuser
	trusted atomic.Bool // own, or has given the token
	web     atomic.Bool // it is HTTP
	server  *Server
	once    sync.Once
}

// Read is for package net/http.
func (c *conn) Read(p []byte) (int, error) { return c.in.Read(p) }

// Close ends the connection.
func (c *conn) Close() error {
	c.once.Do(func() { c.server.forget(c) })
	return c.Conn.Close()
}

// client names the client, for the log.
func (c *conn) client() string {
	if c.own {
		return "unix socket"
	}
	return c.RemoteAddr().String()
}

// What a connection is for.
type purpose int

const (
	forNothing purpose = iota
	forHTTP
	forLines
)

// await sets the deadline for what the client says next. The result is false if the server is being
// closed.
func (c *conn) await(deadline time.Time) bool {
	return c.SetReadDeadline(deadline) == nil && c.server.ctx.Err() == nil
}

// kind waits for the first line, and looks what it is. It takes nothing of it.
func (c *conn) kind() purpose {
	silence := commandTime
	if c.own {
		silence = greetAfter
	}
	if !c.await(time.Now().Add(silence)) {
		return forNothing
	}
	_, err := c.in.Peek(1)
	if !c.await(time.Now().Add(commandTime)) {
		return forNothing
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if c.own {
			return forLines
		}
		return forNothing
	}
	for n := 1; ; n = c.in.Buffered() + 1 {
		_, err = c.in.Peek(min(n, longestLine))
		if err != nil && (c.in.Buffered() == 0 || errors.Is(err, os.ErrDeadlineExceeded)) {
			return forNothing
		}
		start, _ := c.in.Peek(min(c.in.Buffered(), longestLine))
		line, whole := cutLine(start)
		if whole || err != nil || len(start) == longestLine {
			return purposeOf(line)
		}
	}
}

// handed is a listener for package net/http, of the connections that turned out to be its.
type handed struct {
	conns chan net.Conn
	ctx   context.Context
	addr  net.Addr
}

func (h *handed) put(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.ctx.Done():
		return false
	}
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.ctx.Done():
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error   { return nil }
func (h *handed) Addr() net.Addr { return h.addr }
