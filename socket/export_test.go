package socket

import "github.com/curio-go/curio/internal/poll"

// OpenAny is New for every type of socket. It can go when New takes them all.
func OpenAny(family, typ, proto int) (*Socket, error) {
	fd, err := poll.Socket(family, typ, proto)
	if err != nil {
		return nil, err
	}
	return own(fd, family, typ, "socket")
}

// Absent is an option that no system has.
var Absent = Option[int]{ofSocket("SO_ABSENT", missing, integer)}

var ParseServices = parseServices
