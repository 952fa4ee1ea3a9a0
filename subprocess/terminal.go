package subprocess

import (
	"errors"
	"os"
)

// openTerminal opens a pseudo-terminal: our side of it, and the program's.
func openTerminal(rows, cols uint16) (master, slave *os.File, err error) {
	return nil, nil, errors.ErrUnsupported
}

// Resize tells the program's terminal its size, and the program gets SIGWINCH.
func (p *Process) Resize(rows, cols uint16) error { return errors.ErrUnsupported }
