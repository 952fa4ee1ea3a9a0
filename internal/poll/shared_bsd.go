//go:build darwin || freebsd

package poll

// pipeBuf is PIPE_BUF of <limits.h>: poll(2) calls a pipe writable when there is room for
// a write of this size.
const pipeBuf = 512
