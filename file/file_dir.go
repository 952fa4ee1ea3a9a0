package file

import (
	"context"
	"io"
	"io/fs"

	"github.com/curio-go/curio/internal/wait"
)

// A listing is what a worker has read of a folder. Guarded by the file's turn, which a worker that was
// abandoned keeps: so no entry is lost.
type listing struct {
	entries []fs.DirEntry
	err     error // with which it has ended, io.EOF at the end; it stays
}

// batch is how many entries a worker reads at once.
const batch = 1024

// ReadDir returns the next n entries of a directory, in the system's order: getdents(2). At the end
// it returns fewer entries, and then io.EOF. If n is 0 or negative, it returns all remaining
// entries, and no error at the end. If reading fails, ReadDir returns the entries read before, and
// the next call returns the error. Entries that vanish meanwhile are left out.
//
// If ctx is done first, ReadDir returns an error that wraps ctx's error, and the next call returns
// the entries that had been read. The Info method of an entry makes a system call without a
// context: use Lstat where that may take long. A task that waits is in the state FILE_TURN or
// FILE_CALL.
func (f *File) ReadDir(ctx context.Context, n int) ([]fs.DirEntry, error) {
	if err := f.enter("readdir"); err != nil {
		return nil, err
	}
	defer f.leave()
	entries, err := at(ctx, func(_ context.Context, place wait.Place) ([]fs.DirEntry, error) {
		if err := f.take(place); err != nil {
			return nil, err
		}
		kept, err := f.collect(place, n)
		if kept {
			return nil, err
		}
		defer f.turn.Pass()
		if err != nil {
			return nil, err
		}
		return f.list.take(n)
	})
	if err == io.EOF {
		return entries, io.EOF
	}
	return entries, f.failed("readdir", err, false)
}

// collect reads until there are n entries. kept says that somebody else passes the turn on.
func (f *File) collect(place wait.Place, n int) (kept bool, err error) {
	l := &f.list
	for l.err == nil && (n <= 0 || len(l.entries) < n) {
		if err := f.mayGoOn(place); err != nil {
			return false, err
		}
		want := batch
		if n > 0 {
			want = min(batch, n-len(l.entries))
		}
		more, become, err := inWorker(place, f.dev, f, "readdir", f.name,
			func() (listing, error) {
				entries, err := f.file.ReadDir(want)
				return listing{entries, err}, nil
			},
			func(more listing, _ error) {
				l.add(more)
				f.turn.Pass()
			})
		if become != returned {
			return become == runsOn, err
		}
		l.add(more)
	}
	return false, nil
}

func (l *listing) add(more listing) {
	l.entries = append(l.entries, more.entries...)
	l.err = more.err
}

// take returns n entries, or what there is.
func (l *listing) take(n int) (taken []fs.DirEntry, err error) {
	if n <= 0 || n >= len(l.entries) {
		taken, l.entries = l.entries, nil
	} else {
		taken, l.entries = l.entries[:n:n], l.entries[n:]
	}
	switch {
	case n > 0 && len(taken) > 0, n <= 0 && l.err == io.EOF:
		err = nil
	default:
		err = l.err
	}
	if taken == nil && n <= 0 {
		taken = []fs.DirEntry{}
	}
	return taken, err
}

// rewind makes ReadDir begin anew. It passes the turn on.
func (f *File) rewind(place wait.Place, offset int64, whence int) (int64, error) {
	type result struct{ to int64 }
	r, become, err := inWorker(place, f.dev, f, "seek", f.name, func() (result, error) {
		to, err := f.file.Seek(offset, whence)
		if err == nil {
			f.list = listing{}
		}
		return result{to}, err
	}, func(result, error) { f.turn.Pass() })
	if become != runsOn {
		f.turn.Pass()
	}
	return r.to, err
}
