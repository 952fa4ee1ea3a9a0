package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T) (server *testutil.Child, addr string) {
	t.Helper()
	testutil.NoLeaks(t)
	server = testutil.Self(t, "-addr", "127.0.0.1:0")
	return server, server.After("listening on ")
}

func ends(t *testing.T, server *testutil.Child) {
	t.Helper()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// A client is the other side of a WebSocket, as a browser has it.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// The key and the answer are those of RFC 6455, 1.3.
const (
	request = "GET /chat HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n"
	accepted = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// connect connects. Its first line is one of its own, so that it does not miss what comes after it.
func connect(t *testing.T, addr string) *client {
	t.Helper()
	conn := testutil.Dial(t, addr)
	c := &client{t, conn, bufio.NewReader(conn)}
	fmt.Fprintf(conn, request, addr, "Origin: http://"+addr+"\r\n")
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols || answer.Header.Get("Sec-WebSocket-Accept") != accepted {
		t.Fatalf("the answer is %v, %v", answer, err)
	}
	for c.frame(0x89, nil); ; { // until it is answered, the client might not be in the room
		if op, _ := c.next(); op == opPong {
			return c
		}
	}
}

// frame sends a frame with a mask.
func (c *client) frame(head byte, data []byte) {
	c.t.Helper()
	frame := []byte{head}
	if len(data) < 126 {
		frame = append(frame, 0x80|byte(len(data)))
	} else {
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(len(data)))
	}
	mask := []byte{1, 2, 3, 4}
	frame = append(frame, mask...)
	for i, b := range data {
		frame = append(frame, b^mask[i%4])
	}
	if _, err := c.conn.Write(frame); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the next frame.
func (c *client) next() (op byte, data string) {
	c.t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(c.in, head); err != nil {
		c.t.Fatal(err)
	}
	size := int(head[1])
	if size == 126 {
		length := make([]byte, 2)
		if _, err := io.ReadFull(c.in, length); err != nil {
			c.t.Fatal(err)
		}
		size = int(binary.BigEndian.Uint16(length))
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(c.in, text); err != nil || head[0]&0xf0 != 0x80 {
		c.t.Fatalf("a frame that begins with %#x, %v", head[0], err)
	}
	return head[0] & 0xf, string(text)
}

func (c *client) hears(op byte, want string) {
	c.t.Helper()
	if got, text := c.next(); got != op || text != want {
		c.t.Errorf("it received %d, %q, want %d, %q", got, text, op, want)
	}
}

// ended checks that the connection ends with that status, and that nothing more comes.
func (c *client) ended(status uint16, why string) {
	c.t.Helper()
	c.hears(opClose, string(binary.BigEndian.AppendUint16(nil, status))+why)
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
		c.t.Errorf("then it received %q, %v", rest, err)
	}
}

// All clients hear what one says, and each gets a word when the server ends.
func TestChat(t *testing.T) {
	server, addr := start(t)
	ann, bob := connect(t, addr), connect(t, addr)
	long := strings.Repeat("x", longest)
	ann.frame(0x81, []byte("hello"))
	for _, c := range []*client{ann, bob} {
		c.hears(opText, "hello")
	}
	bob.frame(0x01, []byte("in three ")) // a message in pieces, with a ping between them
	bob.frame(0x00, []byte("pieces, "))
	bob.frame(0x89, []byte("still there?"))
	bob.frame(0x80, []byte("you see"))
	bob.hears(opPong, "still there?")
	bob.frame(0x81, []byte(long))
	for _, c := range []*client{ann, bob} {
		c.hears(opText, "in three pieces, you see")
		c.hears(opText, long)
	}
	ann.frame(0x88, []byte{0x03, 0xe8, 'b', 'y', 'e'})
	ann.ended(1000, "")
	bob.frame(0x81, []byte("alone"))
	bob.hears(opText, "alone")
	server.Interrupt()
	bob.ended(statusGoingAway, "the server is closing")
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// A client that breaks the rules is told which, and others go on.
func TestMistakes(t *testing.T) {
	server, addr := start(t)
	other := connect(t, addr)
	for _, c := range []struct {
		status uint16
		why    string
		sent   func(c *client)
	}{
		{statusTooLong, "a message has no more than 4096 bytes", func(c *client) { c.frame(0x81, make([]byte, longest+1)) }},
		{statusTooLong, "a message has no more than 4096 bytes", func(c *client) {
			c.frame(0x01, make([]byte, longest))
			c.frame(0x80, make([]byte, 1))
		}},
		{statusTooLong, "a message has no more than 4096 bytes", func(c *client) {
			_, _ = c.conn.Write([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		}},
		{statusText, "UTF-8, please", func(c *client) { c.frame(0x81, []byte{0xff}) }},
		{statusKind, "text, please", func(c *client) { c.frame(0x82, []byte("hello")) }},
		{statusProtocol, "a frame without a mask", func(c *client) { _, _ = c.conn.Write([]byte{0x81, 0}) }},
		{statusProtocol, "an extension that was not agreed on", func(c *client) { c.frame(0xc1, nil) }},
		{statusProtocol, "a frame in the wrong place", func(c *client) { c.frame(0x80, nil) }},
		{statusProtocol, "a frame in the wrong place", func(c *client) { c.frame(0x01, nil); c.frame(0x81, nil) }},
		{statusProtocol, "a control frame that is too long", func(c *client) { c.frame(0x89, make([]byte, 126)) }},
		{statusProtocol, "an unknown kind of frame", func(c *client) { c.frame(0x83, nil) }},
	} {
		client := connect(t, addr)
		c.sent(client)
		client.ended(c.status, c.why)
	}
	other.frame(0x81, []byte("still here"))
	other.hears(opText, "still here")
	other.conn.Close() // without a word
	ends(t, server)
}

// What is no request for a WebSocket of ours is refused.
func TestRefused(t *testing.T) {
	server, addr := start(t)
	good := fmt.Sprintf(request, addr, "")
	for want, sent := range map[string]string{
		"403": fmt.Sprintf(request, addr, "Origin: http://example.com\r\n"),
		"400": strings.Replace(good, "dGhlIHNhbXBsZSBub25jZQ==", "short", 1),
		"426": strings.Replace(good, "Version: 13", "Version: 8", 1),
		"405": strings.Replace(good, "GET", "POST", 1),
		"200": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"404": "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn := testutil.Dial(t, addr)
		fmt.Fprint(conn, sent)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || !strings.HasPrefix(answer.Status, want) {
			t.Errorf("the answer is %v, %v, want %s", answer, err, want)
			continue
		}
		answer.Body.Close()
		conn.Close()
	}
	ends(t, server)
}
