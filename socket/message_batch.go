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

// RecvMMsg waits for a message, receives it together with those that have already arrived, up to
// len(messages), and returns how many it received: recvmmsg(2) on Linux, and one recvmsg(2) for
// each message elsewhere. It fills messages from the first on, as RecvMsg does. flags are as for
// RecvFlags. Empty messages count like others. At the end of a SOCK_SEQPACKET connection it returns
// io.EOF (see Recv), after all messages that came before the end. If ctx is done first, RecvMMsg
// returns an error that wraps ctx's error and has received nothing. On a stream, which has no
// messages, it returns syscall.EOPNOTSUPP.
//
// Descriptors that come with the messages belong to the caller, as with RecvMsg.
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

// SendMMsg sends all messages in order and returns how many it sent: sendmmsg(2) on Linux, and one
// sendmsg(2) for each message elsewhere. flags are as for SendFlags; with MSG_DONTWAIT it may send
// fewer messages without an error if there is no room for more. If ctx is done or a message cannot
// be sent, it returns the error and how many messages were sent before. On a stream, which has no
// messages, it returns syscall.EOPNOTSUPP.
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
