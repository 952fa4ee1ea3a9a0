package channel

import (
	"net"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// issued are the messages by which this process challenges a peer at the moment, and the connection on
// which it does. A message is added before it is sent, and removed when an answer to it is of no use any
// more. So a peer without the key cannot have this process answer the process's own challenges: by
// passing a listener's challenge on to a client of the same process, or one client's to another. It
// could still ask another process that has the key, which the protocol has no means against.
//
// Keys are not told apart, as a message of 40 random bytes is nobody else's.
var issued struct {
	mu       sync.Mutex
	messages map[string]ends
}

// issue adds a message. settle removes it.
func issue(message []byte, e ends) (settle func()) {
	key := string(message)
	issued.mu.Lock()
	defer issued.mu.Unlock()
	if issued.messages == nil {
		issued.messages = make(map[string]ends)
	}
	issued.messages[key] = e
	return func() {
		issued.mu.Lock()
		defer issued.mu.Unlock()
		delete(issued.messages, key)
		if len(issued.messages) == 0 {
			issued.messages = nil // a map keeps the memory of the most that it has held
		}
	}
}

// isRelayed reports whether a message that has come over f is one of this process's, and has not come straight
// from it: a program may well connect to itself.
func isRelayed(message []byte, f frames) bool {
	issued.mu.Lock()
	from, own := issued.messages[string(message)]
	issued.mu.Unlock()
	return own && !endsOf(f).meets(from)
}

// ends are the two sides of a connection, as the system knows them.
type ends struct {
	local, remote string // "" for an address that is not known, or is no name
	peer          int    // the process that has made the other end of a Unix socket, 0 if that is not known
}

func endsOf(f frames) ends {
	if c, ok := f.(interface{ ends() ends }); ok {
		return c.ends()
	}
	return ends{}
}

// ends asks the socket at the bottom, if there is one: what is above it may have its addresses from somebody
// else, such as a proxy.
func (c *Conn) ends() ends {
	if t, ok := c.transport.(network.Conn); ok {
		if s := network.SocketOf(t); s != nil {
			e := ends{local: nameOf(s.LocalAddr()), remote: nameOf(s.RemoteAddr())}
			if e.unix() {
				if peer, err := socket.PeerCredentials.Get(s); err == nil {
					e.peer = peer.PID
				}
			}
			return e
		}
	}
	return ends{local: nameOf(c.LocalAddr()), remote: nameOf(c.RemoteAddr())}
}

func nameOf(addr net.Addr) string {
	if addr == nil {
		return ""
	}
	name := addr.String()
	if name == "" || name == "@" { // a Unix socket without a name, to package net
		return ""
	}
	return addr.Network() + " " + name
}

// meets reports whether e and other are the two ends of one connection. Over TCP no two connections have
// the same pair of addresses. The client of a Unix socket has no name, and the listener's is what it was
// bound to, which in another directory is another socket: so there the other end must have been made by this
// process, where the system tells that. Two ends without a name, as of a socket pair, do not show
// whether they belong together.
func (e ends) meets(other ends) bool {
	switch {
	case e.local == "" && e.remote == "":
		return false
	case e.unix() && runtime.GOOS == "linux" && e.peer != os.Getpid():
		return false
	}
	return e.local == other.remote && e.remote == other.local
}

func (e ends) unix() bool {
	return strings.HasPrefix(e.local, "unix") || strings.HasPrefix(e.remote, "unix")
}
