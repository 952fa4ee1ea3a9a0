package file

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio"
)

// MkdirTemp makes a directory with a new name in the directory dir and returns its path. If dir is
// "", it uses os.TempDir. The name is pattern with a random text in place of its last "*", or at
// its end. The mode is 0700, before umask. The caller must remove the directory; [WithTempDir] does
// that itself.
//
// If ctx is done first, MkdirTemp returns an error that wraps ctx's error and leaves no directory:
// one that is made too late is removed. Errors are of type [*fs.PathError]. A task that waits is in
// the state FILE_CALL.
func MkdirTemp(ctx context.Context, dir, pattern string) (string, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	path, err := work(ctx, new(job), "mkdirtemp", dir, func() (path string, err error) {
		err = again(func() error {
			if err = step("mkdirtemp", dir); err == nil {
				path, err = os.MkdirTemp(dir, pattern)
			}
			return err
		})
		return path, err
	}, func(path string) {
		if path != "" {
			_ = os.Remove(path)
		}
	})
	return path, failed("mkdirtemp", dir, err, false)
}

// WithTempDir calls fn with the path of a new directory. When fn has returned, has panicked or has
// called runtime.Goexit, it removes the directory and everything in it, even if ctx is done. For
// dir and pattern see [MkdirTemp]. It returns fn's error joined with the error of the removal. If
// the removal takes more than one or two seconds after ctx is done, it goes on in the background,
// and the error matches ErrOutcomeUnknown.
//
// WithTempDir panics if fn is nil. It is Python's TemporaryDirectory.
func WithTempDir(ctx context.Context, dir, pattern string, fn func(ctx context.Context, path string) error) (err error) {
	if fn == nil {
		panic("file: WithTempDir without a function")
	}
	path, err := MkdirTemp(ctx, dir, pattern)
	if err != nil {
		return err
	}
	defer func() {
		err = joined(err, cleanUp(ctx, "removeall", path, func() error {
			if err := step("cleanup", path); err != nil {
				return err
			}
			return removeBusy(path)
		}))
	}()
	return fn(ctx, path)
}

// removeBusy is os.RemoveAll for a directory in which a call that was given up may still be making a file. As the call
// removes that when it ends, removeBusy tries again for about a second.
func removeBusy(path string) (err error) {
	for pause := time.Millisecond; pause < time.Second; pause *= 2 {
		if err = os.RemoveAll(path); !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
		_ = curio.Sleep(context.Background(), pause)
	}
	return err
}

// CreateTemp makes a file with a new name in the directory dir and opens it for reading and
// writing. If dir is "", it uses os.TempDir. For the name see [MkdirTemp]. The mode is 0600, before
// umask. The caller must close and remove the file.
//
// If ctx is done first, CreateTemp returns an error that wraps ctx's error and leaves no file: one
// that is made too late is closed and removed. Errors are of type [*fs.PathError]. A task that
// waits is in the state FILE_CALL.
func CreateTemp(ctx context.Context, dir, pattern string) (*File, error) {
	if strings.ContainsRune(pattern, os.PathSeparator) {
		return nil, failed("createtemp", pattern, errSeparator, false)
	}
	if dir == "" {
		dir = os.TempDir()
	}
	before, after := pattern, ""
	if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
		before, after = pattern[:i], pattern[i+1:]
	}
	f, err := work(ctx, new(job), "createtemp", dir, func() (f *File, err error) {
		for range 100 { // names are long enough for the first to be new
			if err = step("createtemp", dir); err == nil {
				f, err = openSystem(filepath.Join(dir, before+rand.Text()+after), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			}
			if !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		return f, err
	}, func(f *File) {
		if f != nil {
			_ = f.dispose()
			_ = os.Remove(f.name)
		}
	})
	return f, failed("createtemp", dir, err, false)
}

var errSeparator = errors.New("pattern contains a path separator")
