package monitor

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
)

// This file reads lines of a client that may be nc, telnet, or hostile.

// longestLine is how many bytes a line may have.
const longestLine = 4096

var (
	errLong   = errors.New("line too long")
	errBinary = errors.New("control characters in a line")
)

// cutLine returns the first line in what has come so far, and whether its end has come.
func cutLine(b []byte) (line []byte, whole bool) {
	line, _, whole = bytes.Cut(b, []byte("\n"))
	return line, whole
}

// purposeOf tells from the first line what a connection is for.
func purposeOf(first []byte) purpose {
	switch {
	case len(first) == 0 || first[0] != tlsHandshake && !looksLikeHTTP(string(first)):
		return forLines
	case first[0] == tlsHandshake:
		return forNothing
	}
	return forHTTP
}

// tlsHandshake is how TLS begins. What follows may have a line in it that somebody else has chosen.
const tlsHandshake = 0x16

// looksLikeHTTP reports whether a line may be of a request: its first line, or a header.
func looksLikeHTTP(line string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return strings.Contains(strings.ToUpper(line), "HTTP/") || strings.HasSuffix(first, ":") || strings.HasPrefix(strings.ToLower(line), "host:")
}

// Bytes of the telnet protocol.
const (
	telnetSE   = 240 // the end of what SB begins
	telnetSB   = 250
	telnetWILL = 251
	telnetDONT = 254
	telnetIAC  = 255 // a command follows
)

// A lineReader reads lines, without the commands of telnet.
type lineReader struct {
	in *bufio.Reader
}

// next returns the next line, without its end. At the end of the input it returns what there is, with io.EOF.
func (l lineReader) next() (string, error) {
	var line []byte
	var strange bool
	for {
		b, err := l.byte()
		switch {
		case err != nil:
			return string(line), err
		case b == '\n':
			if strange {
				return string(line), errBinary
			}
			return strings.TrimSuffix(string(line), "\r"), nil
		case b == 0 && bytes.HasSuffix(line, []byte("\r")): // the end of a line, too, for telnet
			if strange {
				return "", errBinary
			}
			return string(line[:len(line)-1]), nil
		case b == ctrlD && len(line) == 0:
			return "", io.EOF
		case b < ' ' && b != '\t' && b != '\r' || b == 0x7f:
			strange = true
		}
		if line = append(line, b); len(line) > longestLine {
			return "", errLong
		}
	}
}

// ctrlD is what telnet sends for the end of input.
const ctrlD = 4

// byte returns the next byte that is no command of telnet's.
func (l lineReader) byte() (byte, error) {
	for {
		b, err := l.in.ReadByte()
		if err != nil || b != telnetIAC {
			return b, err
		}
		if err := l.skipCommand(); err != nil {
			return 0, err
		}
	}
}

// skipCommand skips what comes after an IAC. What SB begins may have any length, so it is bounded.
func (l lineReader) skipCommand() error {
	b, err := l.in.ReadByte()
	switch {
	case err != nil:
		return err
	case b >= telnetWILL && b <= telnetDONT:
		_, err = l.in.ReadByte()
		return err
	case b != telnetSB:
		return nil
	}
	for last, n := byte(0), 0; ; n++ {
		b, err := l.in.ReadByte()
		switch {
		case err != nil:
			return err
		case last == telnetIAC && b == telnetSE:
			return nil
		case n == longestLine:
			return errLong
		}
		if last == telnetIAC && b == telnetIAC { // stands for one of them, and begins nothing
			b = 0
		}
		last = b
	}
}

// writePiece is how much is written with one deadline: a client that reads slowly gets all of it, and one that reads
// nothing keeps its connection for no longer than pieceTime.
const (
	writePiece = 64 << 10
	pieceTime  = 30 * time.Second
)

// write sends a text.
func (c *conn) write(text string) error {
	for text != "" {
		n := min(len(text), writePiece)
		if err := c.SetWriteDeadline(time.Now().Add(pieceTime)); err != nil {
			return err
		}
		if _, err := io.WriteString(c.Conn, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// mostUnread is how much of what a client still sends is read before its connection is closed.
const mostUnread = 1 << 20

// converse is a connection of commands, from the prompt to its end.
func (c *conn) converse() {
	s := &session{view: c.server.view, ctx: c.server.ctx, client: c.client(), own: c.own}
	err := c.write(s.greeting())
	in := lineReader{c.in}
	for err == nil {
		deadline := time.Time{}
		if !s.trusted() {
			deadline = time.Now().Add(commandTime)
		}
		if !c.await(deadline) {
			return
		}
		line, end := in.next()
		answer := s.answer(line, end)
		c.trusted.Store(s.trusted())
		if err = c.write(answer); s.over {
			break
		}
	}
	// To close a connection of which something is unread resets it, and the client may lose the last answer.
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if ok && err == nil && half.CloseWrite() == nil && c.await(time.Now().Add(time.Second)) {
		_, _ = io.CopyN(io.Discard, c.in, mostUnread)
	}
}
