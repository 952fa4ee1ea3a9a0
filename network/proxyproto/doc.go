// Package proxyproto parses and formats headers of HAProxy's PROXY protocol, versions 1 and 2. A
// proxy that connects to a server begins the connection with such a header, which gives the address
// of the proxy's client. Begin with [Header.AppendBinary] to write a header and [Parse] to read
// one.
//
//	header := proxyproto.Header{Source: client.RemoteAddr(), Destination: client.LocalAddr()}
//	data, err := header.AppendBinary(nil)
//
// The package only converts between bytes and a [Header]: it uses no connections, and nothing in it
// waits or takes a context. To accept connections from proxies, use ServerConfig.Proxy,
// ReadProxyHeader and ProxyHeaderOf of package network.
//
// Its functions are safe for concurrent use, provided that nothing modifies the Header or the bytes
// that they are given.
//
// The format is https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
package proxyproto
