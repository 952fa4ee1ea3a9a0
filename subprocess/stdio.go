package subprocess

import (
	"fmt"
	"io"
	"os"

	"github.com/curio-go/curio/stream"
)

// A Stdio provides one of a program's standard streams. The variables and functions of this package
// return them. A nil Stdio is the null device, or captured output for Run, CheckOutput, Lines and
// RunPipeline. A Stdio that does not fit its place is refused before anything is started: the error
// wraps os.ErrInvalid, or errors.ErrUnsupported if another function or system would accept it.
type Stdio interface{ stdio() }

// Standard streams that need no argument. Do not assign to these variables.
var (
	// Null is the null device: it has no input and discards output.
	Null Stdio

	// Inherit is the corresponding stream of this process: its descriptor 0, 1 or 2, unchanged. In
	// particular its mode never changes, as other processes have it open too.
	Inherit Stdio

	// Pipe is a pipe to this process. It is for Popen, which puts this process's end into
	// Process.Stdin, Stdout or Stderr. For Run, CheckOutput, Lines and RunPipeline use nil, which
	// captures the output.
	Pipe Stdio

	// Merge sends Stderr to the same place as Stdout, in the order in which the program writes.
	Merge Stdio

	// TTY is the pseudo-terminal of Cmd.Terminal. Process.Stdin, Stdout and Stderr are then the
	// same stream, the other side of the terminal; Stderr is nil if Stdout is also the terminal.
	// Closing the stream hangs up: the program gets SIGHUP. A read returns io.EOF while no process
	// has the terminal open, which is the case when the program has ended, or has closed its
	// standard streams and goes on. Run, CheckOutput, Lines and RunPipeline type only an end of
	// file, and capture the terminal's output if it is Stdout or Stderr.
	TTY Stdio
)

// They are set here as the documentation would show unexported names otherwise.
func init() { Null, Inherit, Pipe, Merge, TTY = null, inherit, pipe, merge, tty }

// File returns a Stdio that passes a file of this process to the program. The program shares the
// offset of a regular file. f still belongs to the caller.
//
// Programs expect descriptors in blocking mode, but pipes, FIFOs and terminals that package os has
// opened are non-blocking. As the mode belongs to the open file, not to the descriptor, these are
// opened again for the program. A non-blocking socket, and on systems other than Linux a
// non-blocking pipe, cannot be opened again and is refused.
func File(f *os.File) Stdio { return fileStdio{f} }

// Stream returns a Stdio that passes a stream's descriptor to the program, in blocking mode: a
// stream over another program's pipe, such as Process.Stdout, over a *socket.Socket, or from
// [stream.FromFile]. The stream is closed in this process, even if the program cannot be started.
// It is refused, and not closed, while it holds data that was received and not read or written and
// not flushed, while a task uses it, and if its descriptor cannot be passed on: a TLS connection
// has none, and the descriptor of a socket that was duplicated (by Dup or File) or made elsewhere
// (FromFD, FromConn, Activated) may share its mode. [Reader] and [Writer] accept every stream.
func Stream(s *stream.Stream) Stdio { return streamStdio{s} }

// Bytes returns a Stdio for Stdin that provides data and then the end of file. data must not be
// modified until the program has ended. Popen refuses it: use Process.Communicate.
func Bytes(data []byte) Stdio { return bytesStdio{data} }

// Reader returns a Stdio for Stdin that provides what r returns up to io.EOF. This process copies
// the data. Popen refuses it.
//
// A goroutine reads r ahead of the program. When the program has ended, a Read in progress is
// abandoned, and its data is lost. If r returns an error other than io.EOF, the input ends there,
// and the call returns that error if the program succeeds. For an *os.File, [File] is better, as
// nothing is copied.
func Reader(r io.Reader) Stdio { return readerStdio{r} }

// Writer returns a Stdio for Stdout and Stderr that writes the output to w. This process copies the
// data. Popen refuses it. If both streams have the same w, the program has one pipe for both, so
// the order is kept and w gets one call at a time. Two different writers each get one call at a
// time, but possibly both at once.
//
// A program waits while its output is not read, so it waits for a slow w. If w returns an error,
// the pipe is closed, and the call returns that error. If ctx is done during a Write, the Write may
// go on until the program has ended, and then for Cmd.Drain. After that it is abandoned, and may
// still use w when the call has returned.
func Writer(w io.Writer) Stdio { return writerStdio{w} }

// plain is a Stdio that needs nothing else.
type plain int

const (
	null plain = iota
	inherit
	pipe
	merge
	tty
)

type (
	fileStdio   struct{ f *os.File }
	streamStdio struct{ s *stream.Stream }
	bytesStdio  struct{ data []byte }
	readerStdio struct{ r io.Reader }
	writerStdio struct{ w io.Writer }
)

func (plain) stdio()       {}
func (fileStdio) stdio()   {}
func (streamStdio) stdio() {}
func (bytesStdio) stdio()  {}
func (readerStdio) stdio() {}
func (writerStdio) stdio() {}

// String returns the name of the variable, such as "Pipe".
func (p plain) String() string {
	return [...]string{"Null", "Inherit", "Pipe", "Merge", "TTY"}[p]
}

// nameOf returns how to make x, for an error.
func nameOf(x Stdio) string {
	switch x := x.(type) {
	case plain:
		return x.String()
	case fileStdio:
		return "File"
	case streamStdio:
		return "Stream"
	case bytesStdio:
		return "Bytes"
	case readerStdio:
		return "Reader"
	case writerStdio:
		return "Writer"
	case captured, connected:
		return "a pipe"
	}
	return fmt.Sprintf("a %T", x)
}

// sameWriter reports whether a and b are the same Writer. The comparison panics if the writers are of
// a type that cannot be compared, as a struct with a slice in it; then they are different.
func sameWriter(a, b Stdio) (same bool) {
	defer func() { _ = recover() }()
	x, ok := a.(writerStdio)
	y, too := b.(writerStdio)
	return ok && too && x.w == y.w
}
