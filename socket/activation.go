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

// An ActivatedSocket is a socket that the process inherited by socket activation. See [Activated].
type ActivatedSocket struct {
	Name   string  // FileDescriptorName= of the systemd unit, or "unknown" if it has none
	Socket *Socket // the caller closes it
}

// Activated returns the sockets that systemd, or another program that follows its protocol, passed
// to this process when it started: socket activation, sd_listen_fds(3). With Accept=no they are
// listeners; with Accept=yes there is one connection. The environment describes them: LISTEN_PID is
// the process that they are meant for, LISTEN_FDS is their number, counted from descriptor 3, and
// LISTEN_FDNAMES has their names. If LISTEN_PID is unset or names another process, Activated
// returns no sockets and no error.
//
// Activated removes these variables, so that no child process takes them for its own. A second call
// therefore returns no sockets. It takes over each descriptor as [FromFD] does, which also sets
// some options. A descriptor that is not a socket stays open, is marked close-on-exec, and is named
// in the error; Activated returns the sockets as well as that error.
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
