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

// SendFile sends count bytes of file on conn, starting at offset, and returns how many it sent. If
// conn is a socket, the system sends the file with sendfile(2), and nothing is copied through the
// program. On any other connection, such as a *TLSConn, SendFile reads pieces of 64 KiB and sends
// each with SendAll; data of other tasks that send may then come between two pieces.
//
// count, offset and file are as for the SendFile method of *socket.Socket. If count is negative,
// SendFile sends everything up to the end of the file; if count is 0, nothing. If the file ends
// before count bytes, for example because it is truncated meanwhile, the error wraps
// io.ErrUnexpectedEOF. SendFile neither uses nor changes the file's own offset, so several tasks
// may send one file. If offset is -1, SendFile starts at the file's own offset and moves it by the
// number of bytes sent; nothing else may use that offset meanwhile. For a file that is not
// seekable, such as a pipe, the error wraps syscall.ESPIPE, and for a connection that moves
// messages, syscall.EOPNOTSUPP.
//
// SendFile checks ctx before each piece. If ctx is done or the connection fails, it returns how
// many bytes will reach the peer if the connection lasts. To continue, send the rest from offset+n,
// even if that is empty: see Conn.SendAll. Reading from the disk cannot be cancelled. Errors are of
// type [*net.OpError]. The task's state is the state of the connection's SendAll, such as
// WRITE_WAIT.
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

// sendPieces is SendFile by reading and sending. It calls SendAll even if there is nothing to send:
// that checks ctx, and sends what an earlier SendAll has left.
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
