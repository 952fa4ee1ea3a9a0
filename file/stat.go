package file

import (
	"context"
	"os"
)

// Stat returns what the system knows about a file: stat(2). If the last part of the name is a symbolic
// link, it is about the file that this leads to. If ctx is done first, the error is ctx's error. A task
// that waits is in the state FILE_CALL.
func Stat(ctx context.Context, name string) (os.FileInfo, error) {
	info, err := blocking(ctx, "stat", name, func() (os.FileInfo, error) { return os.Stat(name) }, nil)
	return info, failed("stat", name, err, false)
}

// Lstat is Stat, except that it does not follow a symbolic link in the last part of the name: lstat(2).
func Lstat(ctx context.Context, name string) (os.FileInfo, error) {
	info, err := blocking(ctx, "lstat", name, func() (os.FileInfo, error) { return os.Lstat(name) }, nil)
	return info, failed("lstat", name, err, false)
}
