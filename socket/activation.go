package socket

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstActivated is SD_LISTEN_FDS_START.
const firstActivated = 3

// An ActivatedSocket is a socket that the process was started with.
type ActivatedSocket struct {
	Name   string // FileDescriptorName= of the unit, "unknown" if there is none
	Socket *Socket
}

// Activated returns the sockets with which systemd, or another program that does as it
// does, has started this process: socket activation, sd_listen_fds(3). With Accept=no
// they are listeners, with Accept=yes there is one connection. They are told by the
// environment: LISTEN_PID is the process that they are meant for, and if that is another
// one or not set, there are none. LISTEN_FDS is how many there are, from descriptor 3
// on, and LISTEN_FDNAMES has their names.
//
// It removes the variables, so that no child takes them for its own, and a second call
// returns none. The descriptors are taken over as by FromFD, which also sets some options.
// A descriptor that is not a socket is left open, is closed on exec, and is named in the
// error; the sockets are returned all the same.
func Activated() ([]ActivatedSocket, error) {
	defer unsetActivation()
	count, err := activatedCount()
	if err != nil {
		return nil, fmt.Errorf("curio/socket: socket activation: %w", err)
	}
	there := announced(count)
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	var sockets []ActivatedSocket
	var failed []error
	for i := range there {
		name := "unknown"
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		fd := firstActivated + i
		s, err := FromFD(fd)
		if err != nil {
			failed = append(failed, fmt.Errorf("curio/socket: socket activation: descriptor %d, %q: %w", fd, name, err))
			continue
		}
		sockets = append(sockets, ActivatedSocket{name, s})
	}
	if there < count {
		failed = append(failed, fmt.Errorf("curio/socket: socket activation: LISTEN_FDS is %d, and descriptor %d is not open", count, firstActivated+there))
	}
	return sockets, errors.Join(failed...)
}

// announced is how many of count descriptors there are, and marks them. It must come
// before any is taken over, which makes new ones.
func announced(count int) int {
	for i := range count {
		var stat syscall.Stat_t
		if err := syscall.Fstat(firstActivated+i, &stat); err != nil {
			return i
		}
		syscall.CloseOnExec(firstActivated + i)
	}
	return count
}

// activatedCount is how many descriptors are meant for this process.
func activatedCount() (int, error) {
	pid := os.Getenv("LISTEN_PID")
	if pid == "" {
		return 0, nil
	}
	meant, err := strconv.Atoi(pid)
	if err != nil {
		return 0, fmt.Errorf("LISTEN_PID: %w", err)
	}
	if meant != os.Getpid() {
		return 0, nil
	}
	count, err := strconv.ParseUint(os.Getenv("LISTEN_FDS"), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("LISTEN_FDS: %w", err)
	}
	return int(count), nil
}

func unsetActivation() {
	for _, name := range []string{"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name)
	}
}
