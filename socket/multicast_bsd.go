//go:build darwin || freebsd

package socket

// putFamily begins a struct sockaddr, which tells its size here.
func putFamily(b []byte, family, size int) { b[0], b[1] = byte(size), byte(family) }
