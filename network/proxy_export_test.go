package network

// What is used by servers.
var (
	NewProxied  = newProxied
	CheckConfig = (*ProxyConfig).check
)

// ProxyMemory is how much memory conn has for its header, while nobody reads it.
func ProxyMemory(conn Conn) int { return cap(conn.(*proxied).buf) }
