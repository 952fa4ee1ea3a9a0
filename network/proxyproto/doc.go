// Package proxyproto parses and formats the header of the PROXY protocol of HAProxy, versions
// 1 and 2. A proxy that connects to a server for a client begins the connection with such a
// header, which says who the client is:
//
//	header := proxyproto.Header{Source: client.RemoteAddr(), Destination: client.LocalAddr()}
//	data, err := header.AppendBinary(nil)
//
// The package only turns bytes into a [Header] and a Header into bytes: it has no connections,
// and nothing in it waits. To accept connections from proxies, use ServerConfig.Proxy,
// ReadProxyHeader and ProxyHeaderOf of package network.
//
// Its functions may be called by several goroutines at the same time, as long as nobody
// changes the Header or the bytes that they are given.
//
// The format is that of https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt.
package proxyproto
