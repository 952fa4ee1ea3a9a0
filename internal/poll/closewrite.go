package poll

import (
	"context"
	"syscall"
)

var endingWrite = operation{state: "WRITE_TURN", call: shutdownOnce}

// CloseWrite is shutdown(2) for writing, in turn with those who write: it comes after
// what they are writing at the moment.
func (f *FD) CloseWrite(ctx context.Context) error {
	return f.writer.wait(ctx, &endingWrite)
}

func shutdownOnce(d *direction, fd int) bool {
	return d.completed(0, errnoOf(syscall.Shutdown(fd, syscall.SHUT_WR)))
}
