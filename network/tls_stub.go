package network

import "crypto/tls"

func TLSServer(conn Conn, config *tls.Config) Conn { panic("stub") }
