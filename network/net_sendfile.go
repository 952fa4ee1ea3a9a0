package network

import (
	"context"
	"errors"
	"io"
	"os"
	"reflect"
)

// A fileSender is a Conn that has the system send a file.
type fileSender interface {
	SendFile(ctx context.Context, f *os.File, offset, count int64) (int64, error)
}

// ReadFrom sends what src yields up to its end, and returns how many bytes that was. A
// regular file, whole or as the R of an *io.LimitedReader, is sent by the system if the
// Conn can do that, from where the file's offset is, which moves on as if it had been
// read. So does io.Copy, which calls this method.
func (c *netConn) ReadFrom(src io.Reader) (n int64, err error) {
	if sender, ok := c.conn.(fileSender); ok {
		n, err = c.sendFile(sender, src)
		if err != nil && (n > 0 || !errors.Is(err, errors.ErrUnsupported)) { // such as on a datagram socket
			return n, err
		}
	}
	// What is no file, or has grown meanwhile.
	rest, err := io.Copy(writerOnly{c}, readerOnly{src})
	return n + rest, err
}

// writerOnly and readerOnly hide the methods by which io.Copy would come back here.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)

// sendFile sends src if it is a regular file, up to the size that it has now.
func (c *netConn) sendFile(sender fileSender, src io.Reader) (n int64, err error) {
	limited, _ := src.(*io.LimitedReader)
	if limited != nil {
		src = limited.R
	}
	f := fileOf(src)
	if f == nil {
		return 0, nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, nil
	}
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, nil
	}
	count := info.Size() - offset
	if limited != nil {
		count = min(count, limited.N)
	}
	if count <= 0 {
		return 0, nil
	}
	n, err = c.sendRange(sender, f, offset, count)
	if limited != nil {
		limited.N -= n
	}
	if _, seekErr := f.Seek(offset+n, io.SeekStart); err == nil && seekErr != nil {
		err = c.opError("write", seekErr)
	}
	return n, err
}

// sendRange is Write for a part of a file.
func (c *netConn) sendRange(sender fileSender, f *os.File, offset, count int64) (n int64, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for n < count {
		scope := c.writes.scope.Load()
		sent, err := sender.SendFile(scope, f, offset+n, count-n)
		n += sent
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF), err == nil && sent == 0:
			return n, nil // the file has become shorter
		case err == nil:
			continue
		}
		again, err := c.failed("write", &c.writes, scope, err)
		if !again {
			return n, err
		}
	}
	return n, nil
}

// fileOf is src as a file, nil if it is none. io.Copy from a file asks the file to write
// itself first, and package os then hands over, not the file, but a struct around it that
// hides that method.
func fileOf(src io.Reader) *os.File {
	if f, ok := src.(*os.File); ok {
		return f
	}
	v := reflect.ValueOf(src)
	if v.Kind() != reflect.Struct || v.Type().PkgPath() != "os" {
		return nil
	}
	file := v.FieldByName("File")
	if !file.IsValid() {
		return nil
	}
	f, _ := file.Interface().(*os.File)
	return f
}
