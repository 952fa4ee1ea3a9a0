package file

import (
	"context"
	"os"
)

// Stat returns information about a file: stat(2). It follows a symbolic link in the last part of
// the name. If ctx is done first, the error wraps ctx's error. A task that waits is in the state
// FILE_CALL.
func Stat(ctx context.Context, name string) (os.FileInfo, error) {
	info, err := blocking(ctx, "stat", name, func() (os.FileInfo, error) { return os.Stat(name) }, nil)
	return info, failed("stat", name, err, false)
}

// Lstat returns information about a file: lstat(2). It does not follow a symbolic link in the last
// part of the name. Cancellation is as for Stat.
func Lstat(ctx context.Context, name string) (os.FileInfo, error) {
	info, err := blocking(ctx, "lstat", name, func() (os.FileInfo, error) { return os.Lstat(name) }, nil)
	return info, failed("lstat", name, err, false)
}
