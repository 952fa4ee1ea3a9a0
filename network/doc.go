// Package network serves and opens connections: TCPServer and RunServer run one
// task for each connection, OpenConnection makes one.
//
//	err := network.TCPServer(ctx, "127.0.0.1:25000", func(ctx context.Context, conn network.Conn) error {
//		…
//	}, nil)
package network
