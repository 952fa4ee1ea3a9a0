package channel

import (
	"context"
	"errors"
)

type frames interface {
	sendFrame(ctx context.Context, b []byte) error
	recvFrame(ctx context.Context, limit int) ([]byte, error)
}

// errFrame: a frame that's too long or negative
var errFrame = errors.New("malformed frame")
