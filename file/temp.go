package file

import (
	"context"
	"os"
)

// MkdirTemp makes a directory with a new name in the directory dir, or in os.TempDir if dir is "", and returns
// its path. The name is pattern with a random text in the place of its last "*", or at its end. The mode
// is 0700, less the process's umask. The caller removes the directory; see [WithTempDir].
//
// If ctx is done first, the error is ctx's error, and there is no directory: one that is made too late is
// removed. Errors are of type *fs.PathError. A task that waits is in the state THREAD_CALL.
func MkdirTemp(ctx context.Context, dir, pattern string) (string, error) {
	path, err := work(ctx, new(job), "mkdirtemp", pattern, func() (path string, err error) {
		err = retry(func() error {
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
	return path, pathError("mkdirtemp", pattern, err)
}

// WithTempDir calls fn with the path of a new directory, and removes that with all that is in it when fn
// has returned, has panicked or has called runtime.Goexit, also if ctx is done by then. For dir and
// pattern see [MkdirTemp]. The error is fn's, joined with the removal's. If it takes more than a
// second or two after ctx is done, it goes on in the background, and errors.Is finds ErrOutcomeUnknown.
//
// It panics if fn is nil. It is Python's TemporaryDirectory.
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
			return os.RemoveAll(path)
		}))
	}()
	return fn(ctx, path)
}

// createTemp makes a file with a new name in the directory dir, open for reading and writing. One that is
// made too late is closed and removed.
func createTemp(ctx context.Context, dir, pattern string) (*os.File, error) {
	f, err := work(ctx, new(job), "createtemp", pattern, func() (f *os.File, err error) {
		err = retry(func() error {
			if err = step("createtemp", dir); err == nil {
				f, err = os.CreateTemp(dir, pattern)
			}
			return err
		})
		return f, err
	}, func(f *os.File) {
		if f != nil {
			f.Close()
			_ = os.Remove(f.Name())
		}
	})
	return f, pathError("createtemp", pattern, err)
}
