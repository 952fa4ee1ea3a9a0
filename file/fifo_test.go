package file_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

func newFIFO(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	check(t, syscall.Mkfifo(name, 0o600))
	return name
}

// Traps 34: an end before there was a writer is none, and the wait for it can be timed out and
// cancelled.
func TestFIFOReader(t *testing.T) {
	testutil.NoLeaks(t)
	name := newFIFO(t)
	f, err := file.Open(background, name)
	check(t, err)
	defer f.Close()
	ctx, cancel := context.WithTimeout(background, 10*short)
	defer cancel()
	n, err := f.Read(ctx, make([]byte, 10))
	is(t, "Read", err, context.DeadlineExceeded)
	if n != 0 {
		t.Errorf("read %d bytes", n)
	}
	inKernel(t, func(ctx context.Context) error {
		task := curio.Spawn(ctx, func(ctx context.Context) (string, error) { return f.ReadLine(ctx) })
		inState(t, task, "READ_WAIT")
		w, err := file.OpenFile(ctx, name, os.O_WRONLY, 0)
		check(t, err)
		inState(t, task, "READ_WAIT") // a writer alone says nothing
		for _, part := range []string{"half", " a line\nand ", "more"} {
			_, err = w.WriteString(ctx, part)
			check(t, err)
		}
		line, err := task.Join(ctx)
		if line != "half a line\n" || err != nil {
			t.Errorf("%q, %v", line, err)
		}
		check(t, w.Close())
		rest, err := f.ReadAll(ctx, file.NoLimit)
		if string(rest) != "and more" || err != nil {
			t.Errorf("the rest: %q, %v", rest, err)
		}
		if _, err := f.Read(ctx, make([]byte, 1)); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		w, err = file.OpenFile(ctx, name, os.O_WRONLY, 0)
		check(t, err)
		_, err = w.WriteString(ctx, "again")
		check(t, err)
		check(t, w.CloseContext(ctx))
		rest, err = f.ReadAll(ctx, file.NoLimit)
		if string(rest) != "again" || err != nil {
			t.Errorf("of another writer: %q, %v", rest, err)
		}
		return nil
	})
}

// A writer that comes and goes without a word is an end.
func TestFIFOSilentWriter(t *testing.T) {
	name := newFIFO(t)
	f, err := file.Open(background, name)
	check(t, err)
	defer f.Close()
	w, err := os.OpenFile(name, os.O_WRONLY, 0)
	check(t, err)
	w.Close()
	if n, err := f.Read(background, make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
}

// Traps 34: a FIFO that is opened for writing waits for its reader, in a way that can be ended.
func TestFIFOWriter(t *testing.T) {
	testutil.NoLeaks(t)
	name := newFIFO(t)
	ctx, cancel := context.WithTimeout(background, 10*short)
	defer cancel()
	_, err := file.OpenFile(ctx, name, os.O_WRONLY, 0)
	is(t, "OpenFile", err, context.DeadlineExceeded)
	_, err = file.OpenFile(background, name, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	is(t, "OpenFile with O_NONBLOCK", err, syscall.ENXIO)
	inKernel(t, func(ctx context.Context) error {
		task := curio.Spawn(ctx, func(ctx context.Context) (*file.File, error) {
			return file.OpenFile(ctx, name, os.O_WRONLY, 0)
		})
		inState(t, task, "TIME_SLEEP")
		r, err := file.Open(ctx, name)
		check(t, err)
		defer r.Close()
		w, err := task.Join(ctx)
		check(t, err)
		fill := curio.Go(ctx, func(ctx context.Context) error {
			_, err := w.Write(ctx, make([]byte, 1<<20))
			return err
		})
		inState(t, fill, "WRITE_WAIT")
		fill.CancelNow()
		_, err = fill.Join(ctx)
		is(t, "Write", err, context.Canceled)
		isNot(t, "Write", err, file.ErrOutcomeUnknown)
		check(t, r.Close())
		_, err = w.WriteString(ctx, "x")
		is(t, "Write without a reader", err, syscall.EPIPE)
		return w.Close()
	})
}

// A file without offsets is syscall.ESPIPE for ReadAt, WriteAt and Seek.
func TestFIFOHasNoOffsets(t *testing.T) {
	f, err := file.OpenFile(background, newFIFO(t), os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	_, err = f.ReadAt(background, make([]byte, 1), 0)
	is(t, "ReadAt", err, syscall.ESPIPE)
	_, err = f.WriteAt(background, make([]byte, 1), 0)
	is(t, "WriteAt", err, syscall.ESPIPE)
	_, err = f.Seek(background, 0, io.SeekStart)
	is(t, "Seek", err, syscall.ESPIPE)
	info, err := f.Stat(background)
	check(t, err)
	if info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("%v", info.Mode())
	}
}

// A slow pipe can be timed out in the middle of a line, and nothing is lost.
func TestSlowPipe(t *testing.T) {
	name := newFIFO(t)
	f, err := file.OpenFile(background, name, os.O_RDWR, 0)
	check(t, err)
	defer f.Close()
	_, err = f.WriteString(background, "half")
	check(t, err)
	ctx, cancel := context.WithTimeout(background, 5*short)
	defer cancel()
	_, err = f.ReadLine(ctx)
	is(t, "ReadLine", err, context.DeadlineExceeded)
	_, err = f.WriteString(background, " a line\nx")
	check(t, err)
	if line, err := f.ReadLine(background); line != "half a line\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if n, err := f.Read(background, make([]byte, 10)); n != 1 || err != nil { // what ReadLine has read ahead
		t.Errorf("%d, %v", n, err)
	}
	all := make(chan string, 1)
	go func() {
		text, err := f.ReadAll(background, 3)
		if !errors.Is(err, file.ErrTooLong) {
			t.Error(err)
		}
		all <- string(text)
	}()
	_, err = f.WriteString(background, "abcdef")
	check(t, err)
	if got := testutil.Receive(t, "ReadAll", all); got != "abc" {
		t.Errorf("ReadAll: %q", got)
	}
	p := make([]byte, 3)
	if _, err := io.ReadFull(f.Reader(background), p); string(p) != "def" || err != nil {
		t.Errorf("what ReadAll has left: %q, %v", p, err)
	}
}

// Close ends those that wait for a FIFO.
func TestFIFOClose(t *testing.T) {
	testutil.NoLeaks(t)
	f, err := file.Open(background, newFIFO(t))
	check(t, err)
	inKernel(t, func(ctx context.Context) error {
		first := curio.Go(ctx, func(ctx context.Context) error { _, err := f.Read(ctx, make([]byte, 1)); return err })
		inState(t, first, "READ_WAIT")
		second := curio.Go(ctx, func(ctx context.Context) error { _, err := f.ReadLine(ctx); return err })
		inState(t, second, "FILE_TURN")
		check(t, f.Close())
		for _, task := range []*curio.Task[struct{}]{first, second} {
			_, err := task.Join(ctx)
			is(t, "a read", err, os.ErrClosed)
		}
		return nil
	})
}

// Traps 35, 36: the descriptor is in non-blocking mode, which nobody shares, and has deadlines when it
// is given away.
func TestFIFODetach(t *testing.T) {
	testutil.NoLeaks(t)
	f, err := file.OpenFile(background, newFIFO(t), os.O_RDWR, 0)
	check(t, err)
	_, err = f.WriteString(background, "a line\nx")
	check(t, err)
	_, err = f.ReadLine(background)
	check(t, err)
	_, err = f.Detach()
	is(t, "Detach with something read ahead", err, file.ErrUnread)
	_, err = f.Read(background, make([]byte, 1))
	check(t, err)
	plain, err := f.Detach()
	check(t, err)
	defer plain.Close()
	check(t, plain.SetReadDeadline(time.Now()))
	_, err = plain.Read(make([]byte, 1))
	is(t, "Read", err, os.ErrDeadlineExceeded)
}

// A whole FIFO is read by ReadFile up to its end; and it can be given up.
func TestReadFileOfFIFO(t *testing.T) {
	testutil.NoLeaks(t)
	name := newFIFO(t)
	ctx, cancel := context.WithTimeout(background, 10*short)
	defer cancel()
	_, err := file.ReadFile(ctx, name)
	is(t, "ReadFile", err, context.DeadlineExceeded)
	settled(t) // if it was given up while it was opened
	if _, err := file.OpenFile(background, name, os.O_WRONLY|syscall.O_NONBLOCK, 0); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("there is still a reader: %v", err)
	}
	done := make(chan string, 1)
	go func() {
		all, err := file.ReadFile(background, name)
		if err != nil {
			t.Error(err)
		}
		done <- string(all)
	}()
	w, err := file.OpenFile(background, name, os.O_WRONLY, 0)
	check(t, err)
	text := strings.Repeat(poem, 10_000)
	_, err = w.WriteString(background, text)
	check(t, err)
	check(t, w.Close())
	if got := testutil.Receive(t, "ReadFile", done); got != text {
		t.Errorf("%d bytes, want %d", len(got), len(text))
	}
}

// WriteFile waits for the reader of a FIFO as OpenFile and Write do, without occupying a worker.
func TestWriteFileOfFIFO(t *testing.T) {
	testutil.NoLeaks(t)
	name := newFIFO(t)
	text := []byte(strings.Repeat(poem, 10_000))
	inKernel(t, func(ctx context.Context) error {
		task := curio.Go(ctx, func(ctx context.Context) error { return file.WriteFile(ctx, name, text, 0o600) })
		inState(t, task, "TIME_SLEEP")
		r, err := file.Open(ctx, name)
		check(t, err)
		defer r.Close()
		got, err := r.ReadAll(ctx, file.NoLimit)
		if string(got) != string(text) || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		_, err = task.Join(ctx)
		check(t, err)
		task = curio.Go(ctx, func(ctx context.Context) error { return file.WriteFile(ctx, name, text, 0o600) })
		inState(t, task, "WRITE_WAIT") // there is a reader, which does not read
		if calls := file.Calls(); len(calls) > 0 {
			t.Errorf("in workers: %v", calls)
		}
		task.CancelNow()
		_, err = task.Join(ctx)
		is(t, "WriteFile", err, context.Canceled, file.ErrOutcomeUnknown)
		return nil
	})
}

// A terminal is waited for as a FIFO is, also /dev/tty's kind of device.
func TestTerminal(t *testing.T) {
	testutil.NoLeaks(t)
	f, err := file.OpenFile(background, "/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(background, 5*short)
	defer cancel()
	_, err = f.Read(ctx, make([]byte, 1))
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}
