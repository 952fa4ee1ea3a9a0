package main

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// longest is how many bytes a message of a client may have.
const longest = 4096

// Opcodes of frames, RFC 6455, 5.2. Those from opClose on control the connection.
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// Why a connection ends, RFC 6455, 7.4.1.
const (
	statusGoingAway = 1001
	statusProtocol  = 1002
	statusKind      = 1003
	statusText      = 1007
	statusTooLong   = 1009
)

// A protocolError is a mistake of the client.
type protocolError struct {
	status uint16
	what   string
}

func (e *protocolError) Error() string { return "websocket: " + e.what }

// A websocket is the server's side of one connection. One task may receive while others send.
type websocket struct {
	conn network.Conn
	in   *stream.Stream
	cut  atomic.Bool // a frame was sent in part, so no other one can follow
}

// accept answers a request for a WebSocket and takes the connection over. If it fails it has answered, unless the
// connection is broken.
func accept(ctx context.Context, w http.ResponseWriter, r *http.Request) (*websocket, error) {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case !hasToken(r.Header, "Connection", "upgrade"), !hasToken(r.Header, "Upgrade", "websocket"):
		w.Header().Set("Upgrade", "websocket")
		http.Error(w, "a WebSocket, please", http.StatusUpgradeRequired)
		return nil, errors.New("no websocket")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, "another version, please", http.StatusUpgradeRequired)
		return nil, errors.New("another version")
	case err != nil || len(key) != 16:
		http.Error(w, "no key", http.StatusBadRequest)
		return nil, errors.New("no key")
	case !sameOrigin(r): // any page in a browser may open a WebSocket to us, in the name of the user
		http.Error(w, "another origin", http.StatusForbidden)
		return nil, errors.New("another origin")
	}
	taken, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "HTTP/1.1, please", http.StatusInternalServerError)
		return nil, err
	}
	if err := taken.SetDeadline(time.Time{}); err != nil { // the deadlines were for HTTP
		taken.Close()
		return nil, err
	}
	conn := network.FromConn(taken) // gives the connection back that the listener has accepted
	if buffer.Reader.Buffered() > 0 {
		conn.Close() // a client has nothing to send before it has the answer
		return nil, errors.New("data before the handshake")
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptance(r.Header.Get("Sec-WebSocket-Key")) + "\r\n\r\n"
	if _, err := conn.SendAll(ctx, []byte(answer)); err != nil {
		conn.Close()
		return nil, err
	}
	return &websocket{conn: conn, in: stream.New(conn)}, nil
}

// acceptance proves that a server has understood a client's key.
func acceptance(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// hasToken reports whether a header, which is a list, has a token.
func hasToken(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for one := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}

// sameOrigin reports whether a request comes from a page of ours, or not from a browser.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// receive returns the next message, and answers what controls the connection. At the end of the conversation the
// error is io.EOF, and a mistake of the client is a *protocolError.
func (ws *websocket) receive(ctx context.Context) (string, error) {
	var message []byte
	begun := false
	for {
		op, final, data, err := ws.read(ctx, longest-len(message))
		if err != nil {
			return "", err
		}
		switch {
		case op == opClose:
			status := data[:min(len(data), 2)] // is sent back, without the reason
			if err := ws.write(ctx, opClose, status); err != nil {
				return "", err
			}
			return "", io.EOF
		case op == opPing:
			if err := ws.write(ctx, opPong, data); err != nil {
				return "", err
			}
			continue
		case op == opPong:
			continue
		case op == opText && !begun, op == opContinuation && begun:
			message, begun = append(message, data...), true
		case op == opText || op == opContinuation:
			return "", &protocolError{statusProtocol, "a frame in the wrong place"}
		case op == opBinary:
			return "", &protocolError{statusKind, "text, please"}
		default:
			return "", &protocolError{statusProtocol, "an unknown kind of frame"}
		}
		if final {
			if !utf8.Valid(message) {
				return "", &protocolError{statusText, "UTF-8, please"}
			}
			return string(message), nil
		}
	}
}

// read reads a frame, of whose data there may be no more than room bytes.
func (ws *websocket) read(ctx context.Context, room int) (op byte, final bool, data []byte, err error) {
	head, err := ws.in.ReadExactly(ctx, 2)
	if err != nil {
		return 0, false, nil, err
	}
	op, final = head[0]&0xf, head[0]&0x80 != 0
	size := uint64(head[1] & 0x7f)
	control := op >= opClose
	switch {
	case head[0]&0x70 != 0:
		return 0, false, nil, &protocolError{statusProtocol, "an extension that was not agreed on"}
	case head[1]&0x80 == 0:
		return 0, false, nil, &protocolError{statusProtocol, "a frame without a mask"}
	case control && (size > 125 || !final):
		return 0, false, nil, &protocolError{statusProtocol, "a control frame that is too long"}
	case size == 126:
		size, err = ws.size(ctx, 2)
	case size == 127:
		size, err = ws.size(ctx, 8)
	}
	if err != nil {
		return 0, false, nil, err
	}
	if !control && size > uint64(room) {
		return 0, false, nil, &protocolError{statusTooLong, fmt.Sprintf("a message has no more than %d bytes", longest)}
	}
	mask, err := ws.in.ReadExactly(ctx, 4)
	if err != nil {
		return 0, false, nil, err
	}
	if data, err = ws.in.ReadExactly(ctx, int(size)); err != nil {
		return 0, false, nil, err
	}
	for i := range data {
		data[i] ^= mask[i%4]
	}
	return op, final, data, nil
}

// size reads a size of n bytes.
func (ws *websocket) size(ctx context.Context, n int) (size uint64, err error) {
	digits, err := ws.in.ReadExactly(ctx, n)
	for _, d := range digits {
		size = size<<8 | uint64(d)
	}
	return size, err
}

// write sends a frame. It may be called by several tasks at a time.
func (ws *websocket) write(ctx context.Context, op byte, data []byte) error {
	if ws.cut.Load() {
		return errors.New("websocket: the frame before was cut short")
	}
	frame := []byte{0x80 | op}
	if len(data) < 126 {
		frame = append(frame, byte(len(data)))
	} else { // nothing that we send is longer than 64 KiB
		frame = binary.BigEndian.AppendUint16(append(frame, 126), uint16(len(data)))
	}
	frame = append(frame, data...)
	n, err := ws.conn.SendAll(ctx, frame) // in one call, so the frames of several tasks do not mix
	if err != nil && n > 0 {
		ws.cut.Store(true)
	}
	return err
}

// end ends the conversation, with a word about why. It does not wait for the client's answer.
func (ws *websocket) end(ctx context.Context, status uint16, why string) error {
	return ws.write(ctx, opClose, append(binary.BigEndian.AppendUint16(nil, status), why...))
}
