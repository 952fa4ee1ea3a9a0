package socket_test

import (
	"reflect"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/socket"
)

// isPlain reports whether a short receive on s means that there is nothing more to receive.
func isPlain(s *socket.Socket) bool {
	fd := reflect.ValueOf(s).Elem().FieldByName("fd")
	return (*poll.FD)(fd.Addr().UnsafePointer()).IsPlain()
}
