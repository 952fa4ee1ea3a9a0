package subprocess

import (
	"fmt"
	"io"
	"os"

	"github.com/curio-go/curio/stream"
)

// A Stdio is what a program gets as one of its standard streams. See the variables and functions that
// return one. A nil Stdio is the null device, or for Run, CheckOutput, Lines and RunPipeline an output that
// they capture. A Stdio that does not fit its place is refused before anything is started. The error is
// os.ErrInvalid, or errors.ErrUnsupported if another function or system would take it.
type Stdio interface{ stdio() }

// These need nothing else. They are not to be assigned to.
var (
	// Null is the null device: no input, and output that nobody sees.
	Null Stdio

	// Inherit is the same stream of this process: its descriptor 0, 1 or 2, as it is. Its mode is
	// never changed, as others have it open, too.
	Inherit Stdio

	// Pipe is a pipe to this process. It is for Popen, which puts our end of it into Process.Stdin,
	// Stdout or Stderr. In Run, CheckOutput, Lines and RunPipeline, leave nil what is to be captured.
	Pipe Stdio

	// Merge is for Stderr: it goes where Stdout goes, so the order is kept.
	Merge Stdio

	// TTY is the terminal that Cmd.Terminal asks for. Process.Stdin, Stdout and Stderr are the same
	// stream then, the other side of the terminal; Stderr is nil if Stdout is the terminal, too. Closing
	// it hangs up: the program gets SIGHUP. A read is at the end of file while nobody has the terminal open, as
	// is so when the program has ended, but also when it has closed its standard streams and goes on. Run, CheckOutput, Lines and RunPipeline type nothing but an
	// end of file, and capture what the terminal shows if it is Stdout or Stderr.
	TTY Stdio
)

// They are set here as the documentation would show unexported names otherwise.
func init() { Null, Inherit, Pipe, Merge, TTY = null, inherit, pipe, merge, tty }

// File is a file of this process. The program gets the descriptor, and shares the offset of a regular
// file. f stays the caller's.
//
// Programs expect descriptors in blocking mode, which pipes, FIFOs and terminals that package os has
// opened are not in. The mode is not the descriptor's but the open file's, so File opens these anew for
// the program. A socket that is not in blocking mode, and on systems other than Linux a pipe, cannot be
// opened anew, and is refused.
func File(f *os.File) Stdio { return fileStdio{f} }

// Stream is a stream of this process over another program's pipe, as in Process.Stdout, over a
// *socket.Socket, or from [stream.FromFile]. The program gets the descriptor, in blocking mode, and the
// stream is closed here, also if the program cannot be started. It is refused, and left alone, while
// there are bytes that were received and not read, or written and not flushed, while a task uses it, and
// if there is no descriptor that could be given away: TLS has none, and a socket that was duplicated (by Dup
// or File) or made elsewhere (FromFD, FromConn, Activated) has one whose mode others share. [Reader] and
// [Writer] take every stream.
func Stream(s *stream.Stream) Stdio { return streamStdio{s} }

// Bytes is for Stdin: data, and then the end of file. It is not for Popen: there is Process.Communicate.
// data must not be changed until the program has ended.
func Bytes(data []byte) Stdio { return bytesStdio{data} }

// Reader is for Stdin: what r returns up to its io.EOF, copied by this process. It is not for Popen.
//
// r is read ahead of the program, by a goroutine that is not waited for any more when the program has
// ended: a Read in progress is abandoned then, and what it returns is lost. An error of r ends the
// input, and is the error of the call if the program succeeds. A *os.File is better passed as [File],
// as nothing needs to be copied then.
func Reader(r io.Reader) Stdio { return readerStdio{r} }

// Writer is for Stdout and Stderr: the output is copied to w by this process. It is not for Popen. If
// both are the same w, the program has one pipe for both, so the order is kept and w gets one call at a
// time; different ones get calls one at a time each, but possibly both at once.
//
// A program waits while its output is not read, so it waits for a slow w. An error of w closes the pipe, and
// is the error of the call. A Write that is in progress when the call is cancelled may go on for as
// long as the program has to end, and then for Cmd.Drain. After that it is abandoned: it may still use w
// when the call has returned.
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

// String returns the name of the variable.
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
