package private

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockDirectory keeps other processes that use this package from making a socket in the directory dir until unlock is
// called. Without it, one could take the socket of another for a stale one: it refuses connections between bind(2) and
// listen(2). Everybody who can open a directory can lock it, so this waits for no longer than patience; and if the directory cannot
// be locked, unlock does nothing.
func lockDirectory(ctx context.Context, dir string) (unlock func()) {
	none := func() {}
	// O_NONBLOCK, as opening a pipe waits for a writer where O_DIRECTORY is looked at later.
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return none
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			f.Close()
			return none
		}
		if !rest(ctx, lockPause) {
			f.Close()
			return none
		}
	}
}

// rest waits for d. The result is false if ctx is done before.
func rest(ctx context.Context, d time.Duration) bool {
	pause, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-pause.Done()
	return ctx.Err() == nil
}

// lockPause is the time between two attempts to lock a directory. The lock is held for less than a millisecond.
const lockPause = time.Millisecond
