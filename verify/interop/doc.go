// Package interop holds no code, only tests: that the adapters of package network get on
// with what is written for package net. They are run by the suite that the Go project has
// for a net.Conn, by net/http and HTTP/2, gRPC, the pool of go-redis, quic-go and x/net.
//
// The module is apart from the library, so that those who use that need none of these.
package interop
