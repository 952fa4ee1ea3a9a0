package poll

import (
	"context"
	"io"
	"syscall"
)

// Several messages in one operation: with recvmmsg(2) and sendmmsg(2) on Linux
// (message_batch_linux.go), with one call for each elsewhere (message_batch_loop.go).

var (
	receivingBatch = operation{state: "READ_WAIT", call: receiveBatchOnce, eager: true}
	sendingBatch   = operation{state: "WRITE_WAIT", call: sendBatchOnce}
)

// A Batch is several messages, not of a stream, and how many of them were moved. As a
// Message it must not be copied.
type Batch struct {
	Messages []Message
	Flags    int // of the call, for all of them
	N        int

	late    syscall.Errno // the error that came after the messages; see FD.late
	headers batchHeaders
}

// Grow gives b n messages.
func (b *Batch) Grow(n int) {
	if n > cap(b.Messages) {
		b.Messages = make([]Message, n)
	}
	b.Messages = b.Messages[:n]
}

// Clear lets go of all that b points to.
func (b *Batch) Clear() {
	for i := range b.Messages {
		b.Messages[i].Clear()
	}
	b.headers.clear()
	b.Messages, b.Flags, b.N = b.Messages[:0], 0, 0
}

func (b *Batch) prepare(receive bool) {
	for i := range b.Messages {
		m := &b.Messages[i]
		m.N, m.ControlN, m.Got, m.Flags = 0, 0, 0, b.Flags
		m.prepare(receive)
	}
	b.headers.prepare(b.Messages)
}

// RecvMMsg waits for a message, and takes with it what else has come, up to the number
// of messages in b. If it finds the end of a sequenced-packet socket after the messages, it
// leaves that to the next call, which returns io.EOF.
func (f *FD) RecvMMsg(ctx context.Context, b *Batch) error {
	d := &f.reader
	b.N = 0
	if !isFlags(b.Flags) {
		return syscall.EINVAL
	}
	if err := d.enterNow(ctx, &receivingBatch, dontWait(b.Flags)); err != nil {
		return err
	}
	b.prepare(true)
	d.arg = b
	err := d.run()
	b.N = d.n
	return d.leave(err)
}

func receiveBatchOnce(d *direction, fd int) bool {
	b := d.arg.(*Batch)
	if d.owes() {
		return true
	}
	n, errno := b.receive(fd)
	d.fd.late, b.late = b.late, 0
	if !d.completed(n, errno) {
		return d.refused(b.Flags)
	}
	if d.fd.isSequenced() && errno == 0 {
		d.endOfBatch(fd, b)
	}
	return true
}

// owes makes the error that came after the messages of the last batch the error of this
// operation. It reports false if there is none.
func (d *direction) owes() bool {
	if d.fd.late == 0 {
		return false
	}
	d.err, d.fd.late = d.fd.late, 0
	return true
}

// endOfBatch removes the end of the connection, which recvmmsg(2) returns as any number of
// empty messages. An empty message that comes before another one is a message.
func (d *direction) endOfBatch(fd int, b *Batch) {
	messages := d.n
	for messages > 0 && b.Messages[messages-1].nothing() {
		messages--
	}
	if messages == d.n || !Ended(fd, b.Flags&syscall.MSG_PEEK == 0) {
		return
	}
	if d.n = messages; messages == 0 {
		d.err = io.EOF
	}
}

// SendMMsg sends all messages of b, one after the other. If it is cut short, N is how
// many were sent.
func (f *FD) SendMMsg(ctx context.Context, b *Batch) error {
	d := &f.writer
	b.N = 0
	if !isFlags(b.Flags) {
		return syscall.EINVAL
	}
	b.prepare(false)
	pause := pauseForRoom()
	for {
		if err := d.enterNow(ctx, &sendingBatch, dontWait(b.Flags)); err != nil {
			return err
		}
		d.arg, d.n = b, b.N
		err := d.run()
		if b.N < d.n {
			b.N = d.n
			pause.Restart()
		}
		err = d.leave(err)
		if err == nil || b.N == len(b.Messages) || !b.Messages[b.N].unannounced(err) {
			return err
		}
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
	}
}

func sendBatchOnce(d *direction, fd int) bool {
	b := d.arg.(*Batch)
	for first := d.n; d.n < len(b.Messages); {
		if d.n > first && !d.mayGoOn() {
			return true
		}
		n, errno := b.send(fd, d.n)
		if errno == syscall.EAGAIN && b.Messages[d.n].unannounced(errno) {
			d.err = errno
			return true
		}
		if !d.completed(n, errno) {
			return d.refused(b.Flags)
		}
		if errno != 0 {
			return true
		}
	}
	return true
}
