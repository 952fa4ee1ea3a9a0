package file_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/file"
	"github.com/curio-go/curio/internal/testutil"
)

const poem = "line 1\nline 2\nline 3\n"

// F1, F2: a whole file, and the rest of one.
func TestReadAll(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, poem)
	got, err := file.ReadFile(background, f.Name())
	check(t, err)
	if string(got) != poem {
		t.Errorf("ReadFile: %q", got)
	}
	_, err = f.Read(background, make([]byte, 5))
	check(t, err)
	got, err = f.ReadAll(background, file.NoLimit)
	check(t, err)
	if string(got) != poem[5:] {
		t.Errorf("ReadAll: %q", got)
	}
	got, err = f.ReadAll(background, file.NoLimit)
	if err != nil || len(got) != 0 {
		t.Errorf("ReadAll at the end: %q, %v", got, err)
	}
}

// A limit leaves the rest for the next call.
func TestReadAllLimit(t *testing.T) {
	f := newFile(t, poem)
	got, err := f.ReadAll(background, 6)
	is(t, "ReadAll", err, file.ErrTooLong)
	rest, err2 := f.ReadAll(background, int64(len(poem)-6))
	if string(got) != poem[:6] || string(rest) != poem[6:] || err2 != nil {
		t.Errorf("%q, and %q, %v", got, rest, err2)
	}
	got, err = file.ReadFileLimit(background, f.Name(), 3)
	is(t, "ReadFileLimit", err, file.ErrTooLong)
	if string(got) != poem[:3] {
		t.Errorf("ReadFileLimit: %q", got)
	}
	if got, err := file.ReadFileLimit(background, f.Name(), int64(len(poem))); err != nil || string(got) != poem {
		t.Errorf("a limit that is just enough: %q, %v", got, err)
	}
	if got, err := file.ReadFileLimit(background, f.Name(), 0); !errors.Is(err, file.ErrTooLong) || len(got) != 0 {
		t.Errorf("a limit of 0: %q, %v", got, err)
	}
	mustPanic(t, "file: ", func() { _, _ = f.ReadAll(background, -2) })
	mustPanic(t, "file: ", func() { f.SetLineLimit(-2) })
}

func mustPanic(t *testing.T, prefix string, fn func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if text := fmt.Sprint(recover()); !strings.HasPrefix(text, prefix) {
			t.Errorf("panicked with %q, want %q", text, prefix)
		}
	}()
	fn()
}

// F3 to F5: pieces into the caller's own memory; at the end io.EOF, again and again.
func TestRead(t *testing.T) {
	f := newFile(t, poem)
	p := make([]byte, 8)
	var all []byte
	for {
		n, err := f.Read(background, p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			break
		}
		check(t, err)
	}
	if string(all) != poem {
		t.Errorf("read %q", all)
	}
	if n, err := f.Read(background, p); n != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", n, err)
	}
	if n, err := f.Read(background, nil); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
	check(t, os.WriteFile(f.Name(), []byte(poem+"line 4\n"), 0o644))
	if n, err := f.Read(background, p); err != nil || string(p[:n]) != "line 4\n" {
		t.Errorf("after the file has grown: %q, %v", p[:n], err)
	}
}

// Of ReadAt n is less than asked for only with an error, and the offset of the file is not touched.
func TestReadAt(t *testing.T) {
	f := newFile(t, poem)
	p := make([]byte, 6)
	for range 2 {
		n, err := f.ReadAt(background, p, 7)
		if n != 6 || err != nil || string(p) != "line 2" {
			t.Errorf("%q, %v", p[:n], err)
		}
	}
	if n, err := f.ReadAt(background, p, int64(len(poem)-3)); n != 3 || err != io.EOF {
		t.Errorf("over the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(background, p, 1<<40); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
	if off, err := f.Seek(background, 0, io.SeekCurrent); off != 0 || err != nil {
		t.Errorf("the offset is %d, %v", off, err)
	}
}

// F6 to F10: lines, one by one and all of them, and then the end.
func TestLines(t *testing.T) {
	for _, text := range []string{poem, "", "\n", "no end", "a\r\nb\r\n", "a\n\nb", strings.Repeat("x", 5000) + "\n" + strings.Repeat("y", 9000)} {
		f := newFile(t, text)
		var one, all []string
		for {
			line, err := f.ReadLine(background)
			if err == io.EOF {
				break
			}
			check(t, err)
			one = append(one, line)
		}
		_, err := f.Seek(background, 0, io.SeekStart)
		check(t, err)
		for line, err := range f.Lines(background) {
			check(t, err)
			all = append(all, line)
		}
		want := slices.Collect(strings.Lines(text))
		if !slices.Equal(one, want) || !slices.Equal(all, want) {
			t.Errorf("%.20q: lines %.50q, %.50q, want %.50q", text, one, all, want)
		}
		if _, err := f.ReadLine(background); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
		if n := file.Ahead(f); n != 0 {
			t.Errorf("at the end the file has a buffer of %d bytes", n)
		}
	}
}

// Lines, other reads and writes may be mixed: the offset is behind what was returned.
func TestLinesAndOthers(t *testing.T) {
	f := newFile(t, poem)
	line, err := f.ReadLine(background)
	check(t, err)
	p := make([]byte, 5)
	n, err := f.Read(background, p)
	check(t, err)
	if line != "line 1\n" || string(p[:n]) != "line " {
		t.Errorf("%q, %q", line, p[:n])
	}
	line, err = f.ReadLine(background)
	if line != "2\n" || err != nil {
		t.Errorf("the rest of a line is %q, %v", line, err)
	}
	_, err = f.WriteAt(background, []byte("LINE"), 14) // what was read ahead is not believed any more
	check(t, err)
	line, err = f.ReadLine(background)
	if line != "LINE 3\n" || err != nil {
		t.Errorf("after a write: %q, %v", line, err)
	}
	check(t, f.Truncate(background, 3))
	if _, err := f.Seek(background, 0, io.SeekStart); err != nil {
		t.Error(err)
	}
	if line, err := f.ReadLine(background); line != "lin" || err != nil {
		t.Errorf("after it was cut: %q, %v", line, err)
	}
}

// A line that is too long is an error that says where, and loses nothing (traps 24).
func TestLineTooLong(t *testing.T) {
	f := newFile(t, "short\n"+strings.Repeat("x", 100)+"\nshort\n")
	f.SetLineLimit(50)
	if line, err := f.ReadLine(background); line != "short\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	for range 2 {
		_, err := f.ReadLine(background)
		is(t, "ReadLine", err, file.ErrLineTooLong)
		if !strings.Contains(err.Error(), "offset 6") {
			t.Errorf("%v does not say where", err)
		}
	}
	f.SetLineLimit(101)
	if line, err := f.ReadLine(background); len(line) != 101 || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	long := newFile(t, strings.Repeat("x", file.DefaultLineLimit)+"\n")
	_, err := long.ReadLine(background)
	is(t, "without a setting", err, file.ErrLineTooLong)
	long.SetLineLimit(file.NoLimit)
	if line, err := long.ReadLine(background); len(line) != file.DefaultLineLimit+1 || err != nil {
		t.Errorf("without a limit: %d, %v", len(line), err)
	}
}

// F11: the zero File, and a closed one.
func TestUnusable(t *testing.T) {
	for name, f := range map[string]*file.File{"zero": {}, "nil": nil} {
		each(f, func(op string, err error) { is(t, name+" "+op, err, os.ErrInvalid) })
	}
	f := newFile(t, poem)
	check(t, f.Close())
	each(f, func(op string, err error) {
		is(t, "closed "+op, err, fs.ErrClosed)
		if e, ok := err.(*fs.PathError); !ok || e.Path != f.Name() {
			t.Errorf("%s: %#v does not name the file", op, err)
		}
	})
	for _, r := range []*file.Root{{}, nil} {
		_, err := r.Open(background, "x")
		is(t, "Root.Open", err, os.ErrInvalid)
		_, err = r.Stat(background, "x")
		is(t, "Root.Stat", err, os.ErrInvalid)
		is(t, "Root.Close", r.Close(), os.ErrInvalid)
	}
}

// each calls all methods of f, and tell with their errors.
func each(f *file.File, tell func(op string, err error)) {
	ctx, p := background, make([]byte, 1)
	_, err := f.Read(ctx, p)
	tell("Read", err)
	_, err = f.ReadAt(ctx, p, 0)
	tell("ReadAt", err)
	_, err = f.ReadAll(ctx, 1)
	tell("ReadAll", err)
	_, err = f.ReadLine(ctx)
	tell("ReadLine", err)
	_, err = f.ReadDir(ctx, 1)
	tell("ReadDir", err)
	_, err = f.Write(ctx, p)
	tell("Write", err)
	_, err = f.WriteString(ctx, "x")
	tell("WriteString", err)
	_, err = f.WriteAt(ctx, p, 0)
	tell("WriteAt", err)
	_, err = f.Seek(ctx, 0, 0)
	tell("Seek", err)
	_, err = f.Stat(ctx)
	tell("Stat", err)
	tell("Truncate", f.Truncate(ctx, 0))
	tell("Chmod", f.Chmod(ctx, 0))
	tell("Sync", f.Sync(ctx))
	_, err = f.Detach()
	tell("Detach", err)
	tell("CloseContext", f.CloseContext(ctx))
	tell("Close", f.Close())
}

// F12, F13: what is written is there, and on the disk after Sync.
func TestWrite(t *testing.T) {
	testutil.NoLeaks(t)
	f, err := file.Create(background, filepath.Join(t.TempDir(), "new"))
	check(t, err)
	n, err := f.Write(background, []byte("line 1\n"))
	check(t, err)
	for _, line := range []string{"line 2\n", "line 3\n"} {
		k, err := f.WriteString(background, line)
		check(t, err)
		n += k
	}
	check(t, f.Sync(background))
	if got := contents(t, f); got != poem || n != len(poem) {
		t.Errorf("%d bytes, and there is %q", n, got)
	}
	if n, err := f.Write(background, nil); n != 0 || err != nil {
		t.Errorf("nothing: %d, %v", n, err)
	}
	check(t, f.CloseContext(background))
	info, err := file.Stat(background, f.Name())
	check(t, err)
	if info.Size() != int64(len(poem)) {
		t.Errorf("it has %d bytes", info.Size())
	}
}

// F14, F15: seek, tell, truncate, and write again.
func TestSeek(t *testing.T) {
	f := newFile(t, poem)
	at := func(want int64, offset int64, whence int) {
		t.Helper()
		got, err := f.Seek(background, offset, whence)
		if got != want || err != nil {
			t.Errorf("Seek(%d, %d): %d, %v, want %d", offset, whence, got, err, want)
		}
	}
	at(7, 7, io.SeekStart)
	at(9, 2, io.SeekCurrent)
	at(int64(len(poem))-1, -1, io.SeekEnd)
	at(5, 5, io.SeekStart)
	for _, bad := range []struct {
		offset int64
		whence int
	}{{-6, io.SeekCurrent}, {-1, io.SeekStart}, {-1000, io.SeekEnd}, {0, 99}} {
		_, err := f.Seek(background, bad.offset, bad.whence)
		is(t, fmt.Sprint("Seek ", bad), err, syscall.EINVAL)
	}
	at(5, 0, io.SeekCurrent)
	check(t, f.Truncate(background, 6))
	at(6, 0, io.SeekEnd)
	_, err := f.WriteString(background, "!\n")
	check(t, err)
	if got := contents(t, f); got != "line 1!\n" {
		t.Errorf("there is %q", got)
	}
	at(8, 0, io.SeekCurrent)
	at(20, 20, io.SeekStart)
	if n, err := f.Read(background, make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v", n, err)
	}
}

// F16, F17: for code without contexts there are views.
func TestViews(t *testing.T) {
	f := newFile(t, "")
	w := bufio.NewWriter(f.Writer(background))
	check(t, json.NewEncoder(w).Encode(map[string]int{"a": 1}))
	check(t, w.Flush())
	var got map[string]int
	r := f.Reader(background)
	_, err := r.Seek(0, io.SeekStart)
	check(t, err)
	check(t, json.NewDecoder(r).Decode(&got))
	if got["a"] != 1 {
		t.Errorf("%v", got)
	}
	check(t, json.NewDecoder(io.NewSectionReader(r, 0, 100)).Decode(&got))
	if _, err := f.Writer(background).WriteAt([]byte("[1]   \n"), 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err = f.Reader(ctx).Read(make([]byte, 1))
	is(t, "a view whose context is done", err, context.Canceled)
	_, err = fmt.Fprint(f.Writer(ctx), "x")
	is(t, "a view whose context is done", err, context.Canceled)
}

// F18: the file is given to code that knows nothing of contexts, at its offset.
func TestDetach(t *testing.T) {
	testutil.NoLeaks(t)
	f := newFile(t, poem)
	_, err := f.ReadLine(background)
	check(t, err)
	plain, err := f.Detach()
	check(t, err)
	defer plain.Close()
	rest, err := io.ReadAll(plain)
	check(t, err)
	if string(rest) != poem[7:] {
		t.Errorf("%q is left", rest)
	}
	_, err = f.Read(background, make([]byte, 1))
	is(t, "Read", err, fs.ErrClosed)
	is(t, "Close", f.Close(), fs.ErrClosed)
}

// F19: it can be printed.
func TestString(t *testing.T) {
	f := newFile(t, poem)
	if got := fmt.Sprint(f); got != "file "+f.Name() {
		t.Error(got)
	}
	check(t, f.Close())
	if got := fmt.Sprint(f); got != "file "+f.Name()+", closed" {
		t.Error(got)
	}
	if got := fmt.Sprint(&file.File{}); got != "no file" {
		t.Error(got)
	}
}

// Traps 18: with O_APPEND the system writes at the end, so WriteAt is refused, and the offset is the
// system's.
func TestAppend(t *testing.T) {
	name := testutil.WriteFile(t, "data", []byte(poem))
	f, err := file.OpenFile(background, name, os.O_RDWR|os.O_APPEND, 0)
	check(t, err)
	defer f.Close()
	_, err = f.WriteAt(background, []byte("x"), 0)
	if err == nil {
		t.Error("WriteAt is not refused")
	}
	_, err = f.WriteString(background, "line 4\n")
	check(t, err)
	if got := contents(t, f); got != poem+"line 4\n" {
		t.Errorf("there is %q", got)
	}
	if off, err := f.Seek(background, 0, io.SeekCurrent); off != int64(len(poem))+7 || err != nil {
		t.Errorf("the offset is %d, %v", off, err)
	}
}

// Traps 15: a negative offset does not reach the system.
func TestNegativeOffset(t *testing.T) {
	f := newFile(t, poem)
	for _, off := range []int64{-1, -100} {
		if n, err := f.ReadAt(background, make([]byte, 1), off); n != 0 || err == nil {
			t.Errorf("ReadAt(%d): %d, %v", off, n, err)
		}
		if n, err := f.WriteAt(background, []byte("x"), off); n != 0 || err == nil {
			t.Errorf("WriteAt(%d): %d, %v", off, n, err)
		}
	}
	if off, err := f.Seek(background, 0, io.SeekCurrent); off != 0 || err != nil {
		t.Errorf("the offset is %d, %v", off, err)
	}
}

// Traps 21: a failed Sync is not forgotten, although the system does forget it.
func TestSyncFailure(t *testing.T) {
	f := newFile(t, "")
	failing := error(&os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO})
	restore := file.Fail(func(*os.File) error { return failing }, nil)
	is(t, "Sync", f.Sync(background), syscall.EIO)
	restore()
	is(t, "the next Sync", f.Sync(background), syscall.EIO)
	f2 := newFile(t, "")
	restore = file.Fail(func(*os.File) error { return &os.PathError{Op: "sync", Err: syscall.EINVAL} }, nil)
	is(t, "Sync where there is none", f2.Sync(background), syscall.EINVAL)
	restore()
	check(t, f2.Sync(background))
}

// Traps 20: Close returns its error.
func TestCloseFailure(t *testing.T) {
	for name, closes := range map[string]func(*file.File) error{
		"Close":        (*file.File).Close,
		"CloseContext": func(f *file.File) error { return f.CloseContext(background) },
	} {
		for _, local := range []bool{true, false} {
			f := newFile(t, "")
			if !local {
				file.Forget(f)
			}
			restore := file.Fail(nil, func(f *os.File) error {
				_ = f.Close()
				return &os.PathError{Op: "close", Path: f.Name(), Err: syscall.EDQUOT}
			})
			err := closes(f)
			restore()
			is(t, name, err, syscall.EDQUOT)
			if want := "close " + f.Name() + ": " + syscall.EDQUOT.Error(); err.Error() != want {
				t.Errorf("%s: %q, want %q", name, err, want)
			}
			is(t, name+" again", closes(f), fs.ErrClosed)
		}
	}
}

// More than one piece, which a worker moves at once: traps 19 in small.
func TestLarge(t *testing.T) {
	data := testutil.Pattern(7, 3*file.Piece+12345)
	for _, way := range []int32{file.Direct, file.NoWait, file.HandOff} {
		f := newFile(t, "")
		file.Access(f).Store(way)
		n, err := f.WriteAt(background, data, 5)
		if n != len(data) || err != nil {
			t.Fatalf("WriteAt: %d, %v", n, err)
		}
		got := make([]byte, len(data)+5)
		n, err = f.ReadAt(background, got, 0)
		if n != len(got) || err != nil || string(got[5:]) != string(data) {
			t.Fatalf("ReadAt: %d, %v", n, err)
		}
		got, err = f.ReadAll(background, file.NoLimit)
		if err != nil || string(got[5:]) != string(data) {
			t.Fatalf("ReadAll: %d, %v", len(got), err)
		}
		got, err = file.ReadFile(background, f.Name())
		if err != nil || string(got[5:]) != string(data) {
			t.Fatalf("ReadFile: %d, %v", len(got), err)
		}
	}
}

// Traps 23: what has no size is read all the same, and a size is not believed.
func TestSizes(t *testing.T) {
	if !exists("/proc/self/status") {
		t.Skip("no /proc here")
	}
	for _, name := range []string{"/proc/self/mountinfo", "/proc/self/maps", "/proc/cpuinfo", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		if !exists(name) {
			continue
		}
		got, err := file.ReadFile(background, name)
		if err != nil || len(got) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	big, err := os.ReadFile("/proc/kallsyms")
	got, err2 := file.ReadFile(background, "/proc/kallsyms")
	if err == nil && (err2 != nil || len(got) < len(big)/2) {
		t.Errorf("kallsyms: %d bytes, %v, want about %d", len(got), err2, len(big))
	}
	f := newFile(t, "x") // sparse: a terabyte without data
	check(t, f.Truncate(background, 1<<40))
	got, err = file.ReadFileLimit(background, f.Name(), 10<<20)
	is(t, "ReadFileLimit", err, file.ErrTooLong)
	if len(got) != 10<<20 {
		t.Errorf("%d bytes", len(got))
	}
	ctx, cancel := context.WithTimeout(background, 5*short)
	defer cancel()
	_, err = file.ReadFile(ctx, f.Name()) // and not out of memory
	is(t, "ReadFile", err, context.DeadlineExceeded)
	link := f.Name() + "link" // behind which a worker reads, which stops when nobody waits any more
	check(t, os.Symlink(f.Name(), link))
	ctx, cancel = context.WithTimeout(background, 5*short)
	defer cancel()
	_, err = file.ReadFile(ctx, link)
	is(t, "ReadFile by a worker", err, context.DeadlineExceeded)
	settled(t)
}

// Bad input: clear errors, which name the operation and the path.
func TestBadInput(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	check(t, os.WriteFile(plain, nil, 0o644))
	for _, c := range []struct {
		name string
		want error
	}{
		{filepath.Join(dir, "none"), fs.ErrNotExist},
		{filepath.Join(dir, "none", "x"), fs.ErrNotExist},
		{filepath.Join(plain, "x"), syscall.ENOTDIR},
		{"a\x00b", syscall.EINVAL},
		{"", fs.ErrNotExist},
		{strings.Repeat("x", 300), syscall.ENAMETOOLONG},
	} {
		_, err := file.Open(background, c.name)
		is(t, "Open "+c.name, err, c.want)
		_, err2 := file.ReadFile(background, c.name)
		is(t, "ReadFile "+c.name, err2, c.want)
		_, err3 := file.Stat(background, c.name)
		is(t, "Stat "+c.name, err3, c.want)
		for _, err := range []error{err, err2, err3} {
			if e, ok := err.(*fs.PathError); !ok || e.Path != c.name || e.Op != "open" && e.Op != "stat" {
				t.Errorf("%#v does not say what it was about", err)
			}
		}
	}
	_, err := file.ReadFile(background, dir)
	is(t, "ReadFile of a folder", err, syscall.EISDIR)
	f, err := file.Open(background, dir)
	check(t, err)
	_, err = f.Read(background, make([]byte, 10))
	is(t, "Read of a folder", err, syscall.EISDIR)
	check(t, f.Close())
	_, err = file.OpenFile(background, dir, os.O_RDWR, 0)
	is(t, "a folder for writing", err, syscall.EISDIR)
	_, err = file.OpenFile(background, plain, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0)
	is(t, "O_EXCL", err, fs.ErrExist)
	f, err = file.Open(background, plain)
	check(t, err)
	_, err = f.Write(background, []byte("x"))
	is(t, "Write of what is open for reading", err, syscall.EBADF)
	_, err = f.ReadDir(background, 1)
	is(t, "ReadDir of a file", err, syscall.ENOTDIR)
	check(t, f.Close())
}

// Devices that are not waited for are read and written all the same.
func TestDevices(t *testing.T) {
	testutil.NoLeaks(t)
	zero, err := file.Open(background, "/dev/zero")
	check(t, err)
	p := []byte("xxx")
	if n, err := zero.Read(background, p); n != 3 || err != nil || string(p) != "\x00\x00\x00" {
		t.Errorf("/dev/zero: %q, %v", p[:n], err)
	}
	check(t, zero.Close())
	null, err := file.OpenFile(background, os.DevNull, os.O_RDWR, 0)
	check(t, err)
	if n, err := null.Write(background, p); n != 3 || err != nil {
		t.Errorf("/dev/null: %d, %v", n, err)
	}
	if n, err := null.Read(background, p); n != 0 || err != io.EOF {
		t.Errorf("/dev/null: %d, %v", n, err)
	}
	check(t, null.CloseContext(background))
	if all, err := file.ReadFile(background, os.DevNull); len(all) != 0 || err != nil {
		t.Errorf("/dev/null: %q, %v", all, err)
	}
	full, err := file.OpenFile(background, "/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	check(t, err)
	_, err = full.Write(background, p)
	is(t, "/dev/full", err, syscall.ENOSPC)
	check(t, full.Close())
}

// Entries come once each, however many are asked for; at the end io.EOF; and anew after Seek.
func TestReadDir(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	if exists("/dev/shm") { // where making many files takes no time
		var err error
		dir, err = os.MkdirTemp("/dev/shm", "curio")
		check(t, err)
		defer os.RemoveAll(dir)
	}
	var want []string
	for i := range 1100 {
		name := fmt.Sprintf("%04d", i)
		want = append(want, name)
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	f, err := file.Open(background, dir)
	check(t, err)
	defer f.Close()
	for _, n := range []int{-1, 1000, 7} {
		var names []string
		for {
			entries, err := f.ReadDir(background, n)
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if n <= 0 || err == io.EOF {
				break
			}
			check(t, err)
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("%d at a time: %d names", n, len(names))
		}
		if entries, err := f.ReadDir(background, -1); len(entries) != 0 || err != nil {
			t.Errorf("at the end: %v, %v", entries, err)
		}
		if _, err := f.ReadDir(background, 1); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
		_, err := f.Seek(background, 0, io.SeekStart)
		check(t, err)
	}
}

// A name that is in memory and one behind a link are the same file.
func TestOpenByLink(t *testing.T) {
	f := newFile(t, poem)
	link := f.Name() + "link"
	check(t, os.Symlink(f.Name(), link))
	for _, name := range []string{f.Name(), link, filepath.Join(filepath.Dir(link), "..", filepath.Base(filepath.Dir(link)), "data")} {
		got, err := file.ReadFile(background, name)
		if err != nil || string(got) != poem {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	info, err := file.Lstat(background, link)
	check(t, err)
	if info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("Lstat: %v", info.Mode())
	}
	t.Chdir(filepath.Dir(f.Name()))
	if got, err := file.ReadFile(background, "data"); err != nil || string(got) != poem {
		t.Errorf("a relative name: %q, %v", got, err)
	}
}
