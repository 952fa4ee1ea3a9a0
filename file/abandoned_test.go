package file_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

// Traps 3: a read that was given up touches neither the caller's memory nor the offset, when it comes
// to an end.
func TestAbandonedRead(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, poem)
	file.Forget(f)
	d := newBlockade(t, f.Name())
	p := bytes.Repeat([]byte("-"), len(poem))
	for name, read := range map[string]func(ctx context.Context) error{
		"Read":     func(ctx context.Context) error { _, err := f.Read(ctx, p); return err },
		"ReadAt":   func(ctx context.Context) error { _, err := f.ReadAt(ctx, p, 0); return err },
		"ReadLine": func(ctx context.Context) error { _, err := f.ReadLine(ctx); return err },
		"ReadAll":  func(ctx context.Context) error { _, err := f.ReadAll(ctx, 1000); return err },
	} {
		err := d.giveUp("read", read)
		is(t, name, err, context.Canceled)
		isNot(t, name, err, file.ErrOutcomeUnknown)
	}
	calls := file.Calls()
	if len(calls) != 4 || !calls[0].Abandoned || calls[0].Path != f.Name() || calls[0].Op != "read" || time.Since(calls[0].Since) > time.Hour {
		t.Errorf("the calls that run on: %v", calls)
	}
	d.release()
	settled(t)
	if strings.Trim(string(p), "-") != "" {
		t.Errorf("the memory of the caller has %q", p)
	}
	if line, err := f.ReadLine(background); line != "line 1\n" || err != nil {
		t.Errorf("after that: %q, %v", line, err)
	}
}

// A worker reads on from where the caller can see it: what the next reader gets is what was there.
func TestAbandonedReadKeepsTheOffset(t *testing.T) {
	f := newFile(t, poem)
	file.Forget(f)
	p := make([]byte, 7)
	_, err := f.Read(background, p)
	check(t, err)
	d := newBlockade(t, f.Name())
	is(t, "Read", d.giveUp("read", func(ctx context.Context) error { _, err := f.Read(ctx, p); return err }), context.Canceled)
	d.release()
	if n, err := f.Read(background, p); string(p[:n]) != "line 2\n" || err != nil {
		t.Errorf("%q, %v", p[:n], err)
	}
}

// Trap 3: a write that was given up is ErrOutcomeUnknown, writes what it was given and not what is there later, and
// what is written later comes later.
func TestAbandonedWrite(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, "")
	d := newBlockade(t, f.Name())
	p := []byte("first ")
	err := d.giveUp("write", func(ctx context.Context) error { _, err := f.WriteAt(ctx, p, 0); return err })
	is(t, "WriteAt", err, file.ErrOutcomeUnknown, context.Canceled)
	copy(p, "xxxxxx")

	order := make(chan string, 10)
	inKernel(t, func(ctx context.Context) error {
		start := func(name string, fn func(ctx context.Context) error) *curio.Task[struct{}] {
			return curio.Go(ctx, func(ctx context.Context) error {
				err := fn(ctx)
				order <- name
				return err
			})
		}
		second := start("Write", func(ctx context.Context) error { _, err := f.WriteString(ctx, "FIR"); return err })
		inState(t, second, "FILE_UNSETTLED")
		third := start("Truncate", func(ctx context.Context) error { return f.Truncate(ctx, 5) })
		inState(t, third, "FILE_UNSETTLED")
		fourth := start("Sync", f.Sync)
		inState(t, fourth, "FILE_UNSETTLED")
		fifth := start("late", func(ctx context.Context) error { _, err := f.WriteAt(ctx, []byte("?"), 3); return err })
		inState(t, fifth, "FILE_UNSETTLED")
		fifth.CancelNow()
		_, err := fifth.Join(ctx)
		isNot(t, "a write that had not begun", err, file.ErrOutcomeUnknown)
		is(t, "a write that had not begun", err, context.Canceled)
		if got := contents(t, f); got != "" {
			t.Errorf("there is %q already", got)
		}
		d.release()
		for _, task := range []*curio.Task[struct{}]{second, third, fourth} {
			if _, err := task.Join(ctx); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	settled(t)
	if got := contents(t, f); !strings.HasPrefix("FIRst ", got) || len(got) < 5 {
		t.Errorf("there is %q", got)
	}
}

// A sequential write that was given up leaves the offset where it was, so that the same can be written
// again.
func TestAbandonedWriteAgain(t *testing.T) {
	f := newFile(t, "")
	_, err := f.WriteString(background, "a")
	check(t, err)
	d := newBlockade(t, f.Name())
	err = d.giveUp("write", func(ctx context.Context) error { _, err := f.WriteString(ctx, "bbb"); return err })
	is(t, "Write", err, file.ErrOutcomeUnknown)
	d.release()
	_, err = f.WriteString(background, "bbb")
	check(t, err)
	if got := contents(t, f); got != "abbb" {
		t.Errorf("there is %q", got)
	}
}

// Of a long write that is cut short, what is counted is there.
func TestCutShort(t *testing.T) {
	f := newFile(t, "")
	data := testutil.Pattern(1, 5*file.Piece)
	var pieces atomic.Int32
	ctx, cancel := context.WithCancel(background)
	restore := file.Stall(func(op, path string) {
		if pieces.Add(1) == 3 {
			cancel()
		}
	})
	n, err := f.Write(ctx, data)
	restore()
	is(t, "Write", err, context.Canceled)
	settled(t)
	if n < 2*file.Piece || n > 3*file.Piece || n%file.Piece != 0 {
		t.Errorf("%d bytes are counted", n)
	}
	got := contents(t, f)
	if len(got) < n || got != string(data[:len(got)]) {
		t.Errorf("%d bytes are there, and %d are counted", len(got), n)
	}
	if off, err := f.Seek(background, 0, io.SeekCurrent); off != int64(n) || err != nil {
		t.Errorf("the offset is %d, %v", off, err)
	}
}

// Close ends the waits, does not wait for what runs on, and the descriptor is closed when that has
// ended.
func TestCloseWhileInUse(t *testing.T) {
	testutil.NoLeaks(t)
	for name, op := range map[string]func(ctx context.Context, f *file.File) error{
		"read": func(ctx context.Context, f *file.File) error { _, err := f.ReadAt(ctx, make([]byte, 1), 0); return err },
		"write": func(ctx context.Context, f *file.File) error {
			_, err := f.WriteAt(ctx, make([]byte, 1), 0)
			return err
		},
		"truncate": func(ctx context.Context, f *file.File) error { return f.Truncate(ctx, 1) },
		"stat":     func(ctx context.Context, f *file.File) error { _, err := f.Stat(ctx); return err },
	} {
		f := newFile(t, poem)
		file.Forget(f)
		d := newBlockade(t, f.Name())
		result := make(chan error, 1)
		go func() { result <- op(background, f) }()
		d.await(name)
		number := file.FD(f)
		err := f.Close()
		is(t, "Close", err, file.ErrOutcomeUnknown)
		err = testutil.Receive(t, "the end of "+name, result)
		is(t, name, err, fs.ErrClosed)
		if name == "write" || name == "truncate" {
			is(t, name, err, file.ErrOutcomeUnknown)
		}
		if !exists(fmt.Sprint("/proc/self/fd/", number)) && exists("/proc/self/fd") {
			t.Error("the descriptor is closed, and somebody uses it")
		}
		d.release()
		settled(t)
		testutil.Await(t, "the end of the descriptor", func() bool {
			target, _ := os.Readlink(fmt.Sprint("/proc/self/fd/", number))
			return target != f.Name()
		})
	}
}

// CloseContext waits for what runs on, and for no longer than its context allows.
func TestCloseContextWaits(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, poem)
	file.Forget(f)
	d := newBlockade(t, f.Name())
	is(t, "Read", d.giveUp("read", func(ctx context.Context) error { _, err := f.Read(ctx, make([]byte, 1)); return err }), context.Canceled)
	ctx, cancel := context.WithTimeout(background, short)
	defer cancel()
	err := f.CloseContext(ctx)
	is(t, "CloseContext", err, context.DeadlineExceeded, file.ErrOutcomeUnknown)
	is(t, "CloseContext again", f.CloseContext(background), fs.ErrClosed)
	d.release()
	settled(t)

	f = newFile(t, poem)
	file.Forget(f)
	d = newBlockade(t, f.Name())
	is(t, "Read", d.giveUp("read", func(ctx context.Context) error { _, err := f.Read(ctx, make([]byte, 1)); return err }), context.Canceled)
	inKernel(t, func(ctx context.Context) error {
		task := curio.Go(ctx, f.CloseContext)
		inState(t, task, "RESULT_WAIT")
		d.release()
		_, err := task.Join(ctx)
		return err
	})
}

// Those that wait for their turn, or behind a write that runs on, end with the file too.
func TestCloseEndsTheQueue(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, poem)
	file.Forget(f)
	d := newBlockade(t, f.Name())
	is(t, "Write", d.giveUp("write", func(ctx context.Context) error { _, err := f.WriteAt(ctx, make([]byte, 1), 0); return err }), context.Canceled)
	inKernel(t, func(ctx context.Context) error {
		gate := curio.Go(ctx, func(ctx context.Context) error { return f.Truncate(ctx, 0) })
		inState(t, gate, "FILE_UNSETTLED")
		read := curio.Go(ctx, func(ctx context.Context) error { _, err := f.Read(ctx, make([]byte, 1)); return err })
		inState(t, read, "FILE_CALL")
		queue := curio.Go(ctx, func(ctx context.Context) error { _, err := f.ReadLine(ctx); return err })
		inState(t, queue, "FILE_TURN")
		is(t, "Close", f.Close(), file.ErrOutcomeUnknown)
		for _, task := range []*curio.Task[struct{}]{gate, read, queue} {
			_, err := task.Join(ctx)
			is(t, "a task that waits", err, fs.ErrClosed)
		}
		return nil
	})
	d.release()
	settled(t)
}

// Detach is refused while a call runs, also one that was given up.
func TestDetachBusy(t *testing.T) {
	f := newFile(t, poem)
	file.Forget(f)
	d := newBlockade(t, f.Name())
	is(t, "Read", d.giveUp("read", func(ctx context.Context) error { _, err := f.ReadAt(ctx, make([]byte, 1), 0); return err }), context.Canceled)
	_, err := f.Detach()
	is(t, "Detach", err, file.ErrBusy)
	d.release()
	settled(t)
	testutil.Await(t, "Detach", func() bool {
		plain, err := f.Detach()
		if err == nil {
			plain.Close()
		}
		return err == nil
	})
}

// An open that comes too late is closed, and says whether it may have created something.
func TestAbandonedOpen(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "new")
	check(t, os.WriteFile(old, []byte(poem), 0o644))
	link := old + "link" // behind a link it is not opened directly
	check(t, os.Symlink(old, link))
	d := newBlockade(t, link, fresh)
	err := d.giveUp("open", func(ctx context.Context) error { _, err := file.Open(ctx, link); return err })
	is(t, "Open", err, context.Canceled)
	isNot(t, "Open", err, file.ErrOutcomeUnknown)
	err = d.giveUp("open", func(ctx context.Context) error { _, err := file.Create(ctx, fresh); return err })
	is(t, "Create", err, context.Canceled, file.ErrOutcomeUnknown)
	err = d.giveUp("read", func(ctx context.Context) error { _, err := file.ReadFile(ctx, link); return err })
	is(t, "ReadFile", err, context.Canceled)
	err = d.giveUp("stat", func(ctx context.Context) error { _, err := file.Stat(ctx, link); return err })
	is(t, "Stat", err, context.Canceled)
	if exists(fresh) {
		t.Error("it exists already")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which would close what has been forgotten
	d.release()
	settled(t)
	if !exists(fresh) {
		t.Error("the outcome was not unknown")
	}
	for _, open := range testutil.Descriptors(os.Getpid()) {
		if strings.Contains(open, dir) {
			t.Errorf("%s is open", open)
		}
	}
}

// A ReadDir that was given up has lost no entry.
func TestAbandonedReadDir(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	for i := range 10 {
		check(t, os.WriteFile(fmt.Sprint(dir, "/", i), nil, 0o600))
	}
	f, err := file.Open(background, dir)
	check(t, err)
	defer f.Close()
	d := newBlockade(t, dir)
	is(t, "ReadDir", d.giveUp("readdir", func(ctx context.Context) error { _, err := f.ReadDir(ctx, 3); return err }), context.Canceled)
	d.release()
	entries, err := f.ReadDir(background, -1)
	if len(entries) != 10 || err != nil {
		t.Errorf("%v, %v", entries, err)
	}
}

// A worker that was given up keeps the turn of a folder. Close ends those that wait for it.
func TestCloseEndsTheTurn(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	f, err := file.Open(background, dir)
	check(t, err)
	d := newBlockade(t, dir)
	list := func(ctx context.Context) error { _, err := f.ReadDir(ctx, 3); return err }
	is(t, "ReadDir", d.giveUp("readdir", list), context.Canceled)
	inKernel(t, func(ctx context.Context) error {
		task := curio.Go(ctx, list)
		inState(t, task, "FILE_TURN")
		check(t, f.Close())
		_, err := task.Join(ctx)
		is(t, "ReadDir", err, fs.ErrClosed)
		return nil
	})
}

// Traps 16: a device that hangs keeps its workers and no others; what is asked of it later waits in its
// queue, and can be cancelled there without a trace. Traps 17: the end of the kernel waits for nothing
// of it.
func TestHungDevice(t *testing.T) {
	testutil.NoLeaks(t)
	if !exists("/dev/shm") {
		t.Skip("there is no second file system here")
	}
	healthy, err := os.CreateTemp("/dev/shm", "curio")
	check(t, err)
	defer os.Remove(healthy.Name())
	defer healthy.Close()
	other, err := file.Open(background, healthy.Name())
	check(t, err)
	defer other.Close()
	file.Forget(other)
	f := newFile(t, poem)
	file.Forget(f)
	d := newBlockade(t, f.Name())
	read := func(ctx context.Context) error { _, err := f.ReadAt(ctx, make([]byte, 1), 0); return err }
	inKernel(t, func(ctx context.Context) error {
		var stuck []*curio.Task[struct{}]
		for range file.MaxWorkers {
			stuck = append(stuck, curio.Go(ctx, read))
			d.await("read")
		}
		for _, task := range stuck {
			task.CancelNow()
			_, err := task.Join(ctx)
			is(t, "a read", err, context.Canceled)
		}
		queue := curio.Go(ctx, read)
		inState(t, queue, "FILE_CALL")
		calls := file.Calls()
		if n := len(calls); n != file.MaxWorkers+1 || !calls[n-1].Queued || calls[n-1].Abandoned || !calls[0].Abandoned {
			t.Errorf("calls: %v", calls)
		}
		write := curio.Go(ctx, func(ctx context.Context) error { _, err := f.WriteAt(ctx, []byte("x"), 0); return err })
		inState(t, write, "FILE_CALL")
		for _, task := range []*curio.Task[struct{}]{queue, write} {
			task.CancelNow()
			_, err := task.Join(ctx)
			is(t, "in the queue", err, context.Canceled)
			isNot(t, "in the queue", err, file.ErrOutcomeUnknown)
		}
		if n := len(file.Calls()); n != file.MaxWorkers {
			t.Errorf("%d calls", n)
		}
		_, err := other.ReadAt(ctx, make([]byte, 1), 0) // a healthy device
		if err != io.EOF {
			t.Error(err)
		}
		return nil
	}) // which ends
	if n := len(file.Calls()); n != file.MaxWorkers {
		t.Errorf("%d calls after the kernel", n)
	}
	d.release()
	settled(t)
	if got := contents(t, f); got != poem {
		t.Errorf("there is %q", got)
	}
}

// However many calls wait, a device has at most maxWorkers workers, and every call is served.
func TestWorkersAreBounded(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, poem)
	file.Forget(f)
	var now, most atomic.Int32
	restore := file.Stall(func(op, path string) {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		testutil.Rest()
		now.Add(-1)
	})
	defer restore()
	var all sync.WaitGroup
	for range 10 * file.MaxWorkers {
		all.Go(func() {
			p := make([]byte, 6)
			if n, err := f.ReadAt(background, p, 7); n != 6 || err != nil || string(p) != "line 2" {
				t.Errorf("%q, %v", p[:n], err)
			}
		})
	}
	all.Wait()
	if m := most.Load(); m != file.MaxWorkers {
		t.Errorf("%d calls at the same time", m)
	}
}

// Somebody else's context, whose methods misbehave, holds up nobody else.
func TestHostileContext(t *testing.T) {
	f := newFile(t, poem)
	file.Forget(f)
	release := make(chan struct{})
	defer close(release)
	for act, do := range testutil.HostileActs(release) {
		if act == "hangs" {
			continue // leaves a goroutine for each
		}
		for _, method := range testutil.HostileMethods {
			for n := 1; n <= 3; n++ {
				h := testutil.NewHostile()
				h.Context = background
				h.At(method, n, do)
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { _ = recover() }()
					_, _ = f.Read(h, make([]byte, 1))
					_, _ = f.WriteString(h, "l")
				}()
				testutil.Receive(t, "end", done)
				if _, err := f.Seek(background, 0, io.SeekStart); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	settled(t)
}
