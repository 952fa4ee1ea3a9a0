package subprocess

import (
	"errors"
	"os"

	"github.com/curio-go/curio/internal/process"
)

// The size of a terminal of which nothing is said.
const (
	defaultRows    = 24
	defaultColumns = 80
)

// openTerminal opens a pseudo-terminal of that size: our side of it, and the program's, which the program
// gets as a standard stream and which we close after the start. When our side is closed, the program gets
// SIGHUP.
func openTerminal(rows, columns uint16) (master, slave *os.File, err error) {
	m, s, err := process.OpenTerminal()
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	master, slave = os.NewFile(uintptr(m), "/dev/ptmx"), os.NewFile(uintptr(s), "/dev/tty")
	if rows == 0 {
		rows = defaultRows
	}
	if columns == 0 {
		columns = defaultColumns
	}
	if err := resize(master, rows, columns); err != nil {
		master.Close()
		slave.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// resize sets the size of a terminal.
func resize(master *os.File, rows, columns uint16) error {
	raw, err := master.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = process.Resize(int(fd), rows, columns) })
	if failed != nil {
		return &os.PathError{Op: "resize", Path: master.Name(), Err: os.ErrClosed}
	}
	if err != nil {
		return &os.PathError{Op: "resize", Path: master.Name(), Err: err}
	}
	return nil
}

// Resize sets the size of the program's terminal, which sends the program SIGWINCH. Without a
// terminal, the error wraps errors.ErrUnsupported; if this process has closed its side of the
// terminal, os.ErrClosed.
func (p *Process) Resize(rows, columns uint16) error {
	if p.terminal == nil {
		return p.child.failed("resize", errors.ErrUnsupported)
	}
	if err := resize(p.terminal, rows, columns); err != nil {
		return p.child.failed("resize", err)
	}
	return nil
}
