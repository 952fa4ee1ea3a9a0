package socket

import "github.com/curio-go/curio/internal/poll"

// Package network splices between sockets, which takes more than a Socket exports.
func init() {
	poll.StreamOf = func(x any) poll.Stream {
		s, ok := x.(*Socket)
		if !ok || s.usable() != nil || s.fd.Type() != SOCK_STREAM {
			return nil
		}
		return (*spliced)(s)
	}
}

// spliced is a Socket as a poll.Stream.
type spliced Socket

func (s *spliced) FD() *poll.FD { return &s.fd }

func (s *spliced) Failed(op string, err error) error { return (*Socket)(s).failed(op, err) }
