package socket

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const (
	soReusePort = 0xf // package syscall does not have it
	soLinger    = syscall.SO_LINGER
)

// maxBacklog is the longest queue that listen(2) grants.
var maxBacklog = sync.OnceValue(func() int {
	text, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && n > 0 {
			return n
		}
	}
	return syscall.SOMAXCONN
})
