package network

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
)

var (
	errEmpty       = errors.New("nothing to receive at the moment")
	errNothingYet  = &wireError{errEmpty}
	errTruncated   = fmt.Errorf("tls: the connection ended without close_notify: %w", io.ErrUnexpectedEOF)
	errNoHandshake = fmt.Errorf("tls: the connection ended during the handshake: %w", io.ErrUnexpectedEOF)
	errPanicked    = errors.New("tls: a function of the configuration panicked during the handshake")
)

// failed returns the error of an operation.
func (c *TLSConn) failed(op string, err error) error { return opError(op, c, plain(err)) }

// plain is an error of package tls, or of the Conn below, without what that has wrapped
// around it, and with types that can be asked for.
func plain(err error) error {
	if below, ok := errors.AsType[*wireError](err); ok {
		return causeOf(below.err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if alert, ok := alertOf(op); ok {
			return fmt.Errorf("%s: %w", op.Op, alert)
		}
	}
	if header, ok := err.(tls.RecordHeaderError); ok {
		header.Conn = nil // it would be the wire
		return header
	}
	return err
}

// fatal reports whether err, which package tls returned from receiving, ends the connection
// and is told to the peer by an alert.
func fatal(err error) bool {
	if err == nil || err == io.EOF {
		return false
	}
	below, ok := errors.AsType[*wireError](err)
	return !ok || !below.Temporary()
}

// alertOf returns the alert that op is about. package tls has a type for alerts, but
// keeps another one, with the same numbers, in its errors.
func alertOf(op *net.OpError) (tls.AlertError, bool) {
	v := reflect.ValueOf(op.Err)
	if (op.Op == "remote error" || op.Op == "local error") && v.Kind() == reflect.Uint8 {
		return tls.AlertError(v.Uint()), true
	}
	return 0, false
}

// brokenTLS reports whether err, from an operation of a TLSConn, says that the peer has
// ended the connection by an alert, or has made this side do so.
func brokenTLS(err error) bool {
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}
