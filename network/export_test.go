package network

import "time"

// Impatient is what a connection of a server with an IdleTimeout is wrapped in.
func Impatient(conn Conn, patience time.Duration) Conn {
	return &impatient{Conn: conn, patience: patience}
}
