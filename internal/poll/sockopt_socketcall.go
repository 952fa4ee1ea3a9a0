//go:build linux && (386 || s390x)

package poll

// Package syscall knows the older way only, by socketcall(2). The number is there
// since Linux 4.3.
const sysGetsockopt = 365
