package network

// What is used by servers, and what tests try byte by byte.
var (
	NewProxied  = newProxied
	ParseProxy  = parseProxy
	CheckConfig = (*ProxyConfig).check
)

const DefaultMaxHeader = defaultMaxHeader

// ProxyMemory is how much memory conn has for its header, while nobody reads it.
func ProxyMemory(conn Conn) int { return cap(conn.(*proxied).buf) }
