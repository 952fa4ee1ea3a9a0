package network

import (
	"context"
	"net/netip"
)

// OpenWith is OpenConnection with attempts of the test's own.
func OpenWith(
	ctx context.Context, addr string, config *ConnectConfig,
	dial func(ctx context.Context, to netip.AddrPort, config *ConnectConfig) (Conn, error),
) (Conn, error) {
	return openTCP(ctx, addr, config, dial)
}

// Attempt is what OpenConnection makes attempts with.
var Attempt = attempt
