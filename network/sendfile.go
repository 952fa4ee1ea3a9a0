package network

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/foreign"
)

// SendFile sends count bytes of file on conn, from offset on, and returns how many it has sent. If
// conn is a socket, the system sends the file, by sendfile(2), and nothing is copied through the
// program. On any other connection, such as a *TLSConn, SendFile reads pieces of 64 KiB and sends
// each with SendAll. Then what other tasks send may come between two pieces.
//
// count, offset and file are those of the SendFile of a *socket.Socket. If count is negative,
// everything up to the end of the file is sent; if count is 0, nothing. If the file ends before count
// bytes, as it does when somebody shortens it meanwhile, the error wraps io.ErrUnexpectedEOF. The
// file's own offset is neither used nor changed, so several tasks may send one file. If offset is -1,
// it is the file's own offset, which is then moved by what was sent; nobody else must use it
// meanwhile. A file without positions, such as a pipe, is refused with syscall.ESPIPE, and a
// connection that moves messages, with syscall.EOPNOTSUPP.
//
// ctx is asked before each piece. If it is done, or the connection fails, SendFile returns how many
// bytes will reach the other side if the connection lasts. To go on, send the rest, from offset+n on,
// even if that is empty: see Conn.SendAll. Reading from the disk cannot be cancelled. Errors are
// *net.OpError. A task that waits is in the state of the connection's SendAll, such as WRITE_WAIT.
func SendFile(ctx context.Context, conn Conn, file *os.File, offset, count int64) (n int64, err error) {
	if sender, ok := conn.(fileSender); ok {
		return sender.SendFile(ctx, file, offset, count)
	}
	if foreign.Datagrams(conn) {
		return 0, opError("sendfile", conn, syscall.EOPNOTSUPP)
	}
	own := offset == -1
	if own && count != 0 {
		if offset, err = file.Seek(0, io.SeekCurrent); err != nil {
			return 0, opError("sendfile", conn, fileError(err))
		}
	}
	n, err = sendPieces(ctx, conn, file, offset, count)
	if own && n > 0 {
		if _, failed := file.Seek(offset+n, io.SeekStart); err == nil && failed != nil {
			err = opError("sendfile", conn, fileError(failed))
		}
	}
	return n, err
}

// sendPieces is SendFile by reading and sending. It calls SendAll also if there is nothing to send,
// which asks ctx, and sends what an earlier SendAll has left.
func sendPieces(ctx context.Context, conn Conn, file *os.File, offset, count int64) (sent int64, err error) {
	block := copyBlocks.Get().(*[blockSize]byte)
	defer copyBlocks.Put(block)
	most := count
	if count < 0 {
		most = math.MaxInt64
	}
	for {
		n, err := readPiece(file, block[:min(most-sent, blockSize)], offset, sent)
		if err != nil && err != io.EOF {
			return sent, opError("sendfile", conn, fileError(err))
		}
		if n > 0 || sent == 0 {
			k, failed := conn.SendAll(ctx, block[:n])
			sent += int64(k)
			if failed != nil {
				return sent, failed
			}
		}
		switch {
		case sent == most:
			return sent, nil
		case err == io.EOF && count < 0:
			return sent, nil
		case err == io.EOF:
			return sent, opError("sendfile", conn, io.ErrUnexpectedEOF)
		}
	}
}

// readPiece reads from offset+sent on. The error is io.EOF if the file ends before buf is full.
func readPiece(file *os.File, buf []byte, offset, sent int64) (int, error) {
	switch {
	case len(buf) == 0:
		return 0, nil
	case offset < 0 || sent > math.MaxInt64-offset:
		return 0, syscall.EINVAL
	}
	return file.ReadAt(buf, offset+sent)
}

// fileError is an error of a file without the file's name: that of the operation is about a
// connection.
func fileError(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}
