// Package private listens where nobody else can connect, or only processes of this machine: on Unix sockets with mode 0600, and
// on loopback. It tells whether the user at the other end of a Unix socket is this one.
package private
