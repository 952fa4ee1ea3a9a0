package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/stream"
)

// A wiring is the standard streams of a program that is about to be started. It is made in two steps:
// check refuses what does not fit, and touches nothing; open makes pipes and takes streams over. After
// the start, whatever has come of it, started closes what belongs to the program alone; if it has failed,
// abandon closes our ends, too.
type wiring struct {
	c     *Cmd
	std   [3]Stdio    // of c, with nil replaced by what it means
	child [3]*os.File // for Cmd.start, nil for the null device
	ours  [3]*end     // our ends; that of a terminal is in several places

	terminal  *os.File   // our side of it, which belongs to its end
	temporary []*os.File // the files in child that are not needed after the start
}

const (
	stdin = iota
	stdout
	stderr
)

var places = [...]string{"standard input", "standard output", "standard error"}

// inherited are our own streams, whatever the variables of package os are set to later.
var inherited = [...]*os.File{os.Stdin, os.Stdout, os.Stderr}

// wire checks the streams of c. Of those that are nil, std says what they mean. captures is for Run and
// its kin, that copy what goes in and out.
func wire(c *Cmd, std [3]Stdio, captures bool) (*wiring, error) {
	w := &wiring{c: c, std: std}
	terminal := false
	for i, x := range [...]Stdio{c.Stdin, c.Stdout, c.Stderr} {
		if x != nil {
			if err := fits(x, i, captures); err != nil {
				return nil, w.refused(i, x, err)
			}
			w.std[i] = x
		}
		if w.std[i] == Stdio(tty) {
			terminal = true
			if c.Terminal == nil {
				return nil, w.refused(i, x, fmt.Errorf("%w without Cmd.Terminal", os.ErrInvalid))
			}
		}
	}
	if c.Terminal != nil && !terminal {
		return nil, w.failed(fmt.Errorf("%w: Cmd.Terminal is set, and none of Stdin, Stdout and Stderr is TTY", os.ErrInvalid))
	}
	if sameWriter(w.std[stdout], w.std[stderr]) || w.std[stdout] == Stdio(tty) && w.std[stderr] == Stdio(tty) {
		w.std[stderr] = merge
	}
	return w, nil
}

// fits returns why x cannot be the stream i.
func fits(x Stdio, i int, captures bool) error {
	none := func(missing bool) error {
		if missing {
			return fmt.Errorf("%w: it is nil", os.ErrInvalid)
		}
		return nil
	}
	var err error
	fitting, copied := true, false
	switch x := x.(type) {
	case plain:
		fitting = x != merge || i == stderr
		if x == pipe && captures {
			return fmt.Errorf("%w: it is for Popen; leave nil what is to be captured", errors.ErrUnsupported)
		}
	case fileStdio:
		err = none(x.f == nil)
	case streamStdio:
		if err = none(x.s == nil); err == nil {
			err = givable(x.s)
		}
	case bytesStdio:
		fitting, copied = i == stdin, true
	case readerStdio:
		fitting, copied, err = i == stdin, true, none(x.r == nil)
	case writerStdio:
		fitting, copied, err = i != stdin, true, none(x.w == nil)
	default:
		return fmt.Errorf("%w: not made by this package", os.ErrInvalid)
	}
	switch {
	case !fitting:
		return fmt.Errorf("%w: it does not fit there", os.ErrInvalid)
	case copied && !captures:
		return fmt.Errorf("%w by Popen, which copies nothing; use Pipe, and Communicate", errors.ErrUnsupported)
	}
	return err
}

func (w *wiring) refused(i int, x Stdio, err error) error {
	return w.failed(fmt.Errorf("%s as %s: %w", nameOf(x), places[i], err))
}

func (w *wiring) failed(err error) error { return &Error{Op: "start", Name: w.c.Path, Err: err} }

// start opens what is needed, starts the program, and closes what only that needs.
func (w *wiring) start(ctx context.Context) (*Process, error) {
	defer w.release()
	started := false
	defer func() {
		if !started { // even if a method of ctx has panicked
			w.abandon()
		}
	}()
	if err := w.open(); err != nil {
		return nil, err
	}
	p, err := w.c.start(ctx, w.child)
	if _, named := err.(*Error); err != nil && !named { // ctx's error
		err = w.failed(err)
	}
	if err != nil {
		return nil, err
	}
	started = true
	p.terminal = w.terminal
	return p, nil
}

// open makes the pipes and the terminal.
func (w *wiring) open() error {
	for i, x := range w.std {
		var err error
		switch x := x.(type) {
		case plain:
			err = w.openPlain(i, x)
		case fileStdio:
			w.child[i], err = w.forProgram(x.f)
		case streamStdio:
			if j := slices.Index(w.std[:i], Stdio(x)); j >= 0 {
				w.child[i] = w.child[j]
				continue
			}
			w.child[i], err = w.give(x.s)
		case connected:
			if x.next != nil {
				err = w.connect(x.next)
			}
		case bytesStdio, readerStdio, writerStdio, captured:
			err = w.openPipe(i)
		}
		if err != nil {
			return w.refused(i, x, err)
		}
	}
	return nil
}

func (w *wiring) openPlain(i int, x plain) error {
	switch x {
	case inherit:
		w.child[i] = inherited[i]
	case merge:
		w.child[i] = w.child[stdout]
	case pipe:
		return w.openPipe(i)
	case tty:
		return w.openTerminal(i)
	}
	return nil
}

// A captured is what stands for a nil Stdout or Stderr of which the output is captured.
type captured struct{}

func (captured) stdio() {}

func (w *wiring) name(i int) string { return places[i] + " of " + w.c.Path }

func (w *wiring) openPipe(i int) error {
	r, wr, err := poll.PipeForChild()
	if err != nil {
		return err
	}
	ours, theirs := r, wr
	if i == stdin {
		ours, theirs = wr, r
	}
	w.child[i] = os.NewFile(uintptr(theirs), w.name(i))
	w.temporary = append(w.temporary, w.child[i])
	w.ours[i], err = newEnd(ours, w.name(i))
	return err
}

// openTerminal makes the terminal for the first place that is on it, and uses it for the others.
func (w *wiring) openTerminal(i int) error {
	for j := range i {
		if w.std[j] == Stdio(tty) {
			w.child[i], w.ours[i] = w.child[j], w.ours[j]
			return nil
		}
	}
	master, slave, err := openTerminal(w.c.Terminal.Rows, w.c.Terminal.Columns)
	if err != nil {
		return err
	}
	w.child[i] = slave
	w.temporary = append(w.temporary, slave)
	fd, err := duplicate(master)
	if err == nil {
		w.ours[i], err = newEnd(fd, "terminal of "+w.c.Path)
	}
	if err != nil {
		master.Close()
		return err
	}
	w.ours[i].terminal, w.terminal = master, master
	return nil
}

// duplicate returns a descriptor of f's open file.
func duplicate(f *os.File) (fd int, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	if raw.Control(func(number uintptr) { fd, err = poll.Dup(int(number)) }) != nil {
		return -1, os.ErrClosed // the one reason that there is
	}
	return fd, os.NewSyscallError("fcntl", err)
}

// forProgram returns what a program gets for f: f itself if it is in blocking mode, or if the mode does
// not matter, otherwise an open file of the program's own.
func (w *wiring) forProgram(f *os.File) (*os.File, error) {
	fd, err := duplicate(f)
	if err != nil {
		return nil, err
	}
	if fd, err = poll.BlockingForChild(fd); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), f.Name())
	w.temporary = append(w.temporary, file)
	return file, nil
}

// givable returns why s cannot be given to a program. It leaves s alone.
func givable(s *stream.Stream) error {
	t := poll.TransportOf(s)
	switch t := t.(type) {
	case nil:
		return fmt.Errorf("%w: a zero Stream", os.ErrInvalid)
	case *end:
		if t.terminal != nil {
			return fmt.Errorf("%w: it is the other side of a terminal", errors.ErrUnsupported)
		}
	case socketTransport:
		if isShared(t) {
			return fmt.Errorf("%w: %s was duplicated, or made elsewhere, and all duplicates would get into blocking mode", errors.ErrUnsupported, s)
		}
	case fileTransport:
	default:
		return fmt.Errorf("%w: %s has no descriptor to pass on", errors.ErrUnsupported, s)
	}
	if n := s.Buffered(); n > 0 {
		return fmt.Errorf("%w: %d bytes were received and have not been read", stream.ErrUnread, n)
	}
	return nil
}

// isShared reports whether others may have a socket's open file.
func isShared(t socketTransport) bool {
	raw, err := t.SyscallConn()
	if err != nil {
		return false // it has been closed, which will show
	}
	s, ok := raw.(interface{ Shared() bool })
	return !ok || s.Shared()
}

type (
	socketTransport interface { // a *socket.Socket
		Detach() (fd int, err error)
		SyscallConn() (syscall.RawConn, error)
	}
	fileTransport interface{ File() *os.File } // of stream.FromFile
)

// give returns what a program gets for s, and takes s over.
func (w *wiring) give(s *stream.Stream) (*os.File, error) {
	t, err := s.Detach()
	if err != nil {
		return nil, err
	}
	defer t.Close()
	var fd int
	switch t := t.(type) {
	case *end:
		fd, err = t.fd.Dup()
	case socketTransport:
		fd, err = t.Detach()
	case fileTransport:
		return w.forProgram(t.File())
	}
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), s.String())
	w.temporary = append(w.temporary, file)
	return file, nil
}

// release closes what belongs to the program alone.
func (w *wiring) release() {
	for _, f := range w.temporary {
		_ = f.Close()
	}
	w.temporary = nil
}

// abandon closes our ends.
func (w *wiring) abandon() {
	for _, e := range w.ours {
		if e != nil {
			_ = e.Close()
		}
	}
}
