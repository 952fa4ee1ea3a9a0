package socket

import (
	"context"
	"io"
	"sync"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

var batches = sync.Pool{New: func() any { return new(poll.Batch) }}

// batch takes a batch from the pool. freeBatch gives it back.
func (s *Socket) batch(messages []Message, flags int) *poll.Batch {
	b := batches.Get().(*poll.Batch)
	b.Flags = flags
	b.Grow(len(messages))
	for i := range messages {
		s.arrange(&b.Messages[i], &messages[i])
	}
	return b
}

func freeBatch(b *poll.Batch) {
	b.Clear()
	batches.Put(b)
}

// batchable is nil if this socket has messages that can be counted.
func (s *Socket) batchable() error {
	if err := s.usable(); err != nil {
		return err
	}
	if s.fd.Type() == SOCK_STREAM {
		return syscall.EOPNOTSUPP
	}
	return nil
}

// RecvMMsg waits for a message, takes with it as many more as have come already, up to
// len(messages), and returns how many that is: recvmmsg(2) on Linux, and recvmsg(2) for
// each elsewhere. They are put into messages from the first on, as RecvMsg does it. flags
// are those of RecvFlags. Empty messages count like others. With SOCK_SEQPACKET it returns
// io.EOF at the end (see Recv), after everything that came before the end. A call that is
// cancelled has received nothing. On a stream, which has no messages, it returns
// syscall.EOPNOTSUPP.
//
// Descriptors that come with the messages are the caller's, as with RecvMsg.
func (s *Socket) RecvMMsg(ctx context.Context, messages []Message, flags int) (n int, err error) {
	if err := s.batchable(); err != nil {
		return 0, s.failed("recvmmsg", err)
	}
	if len(messages) == 0 {
		return 0, s.nothing(ctx, "recvmmsg")
	}
	b := s.batch(messages, flags)
	defer freeBatch(b)
	switch err := s.fd.RecvMMsg(ctx, b); err {
	case nil:
	case io.EOF:
		return 0, io.EOF
	default:
		return 0, s.failed("recvmmsg", err)
	}
	for i := range b.N {
		s.arrived(&messages[i], &b.Messages[i])
	}
	return b.N, nil
}

// SendMMsg sends all messages, one after the other, and returns how many have been sent:
// sendmmsg(2) on Linux, and sendmsg(2) for each elsewhere. flags are those of SendFlags;
// with MSG_DONTWAIT, fewer messages may be sent, without an error, if there is no room for
// more. If SendMMsg is cancelled, or a message cannot be sent, it returns how many were
// sent before that, with the error. On a stream, which has no messages, it returns
// syscall.EOPNOTSUPP.
func (s *Socket) SendMMsg(ctx context.Context, messages []Message, flags int) (n int, err error) {
	if err := s.batchable(); err != nil {
		return 0, s.failed("sendmmsg", err)
	}
	if len(messages) == 0 {
		return 0, s.nothing(ctx, "sendmmsg")
	}
	b := s.batch(messages, flags)
	defer freeBatch(b)
	for i := range messages {
		if err := s.address(&b.Messages[i], &messages[i]); err != nil {
			return 0, s.failedTo("sendmmsg", s.to(&messages[i]), err)
		}
	}
	err = s.fd.SendMMsg(ctx, b)
	for i := range b.N {
		messages[i].N = b.Messages[i].N
	}
	if err != nil {
		return b.N, s.failedTo("sendmmsg", s.to(&messages[b.N]), err)
	}
	return b.N, nil
}
