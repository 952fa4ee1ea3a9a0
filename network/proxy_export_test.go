package network

// What is used by servers, and what tests try byte by byte.
var (
	NewProxied  = newProxied
	ParseProxy  = parseProxy
	CheckConfig = (*ProxyConfig).check
)

const DefaultMaxHeader = defaultMaxHeader
