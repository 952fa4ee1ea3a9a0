package socket

import (
	"encoding/binary"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// A ControlMessage is one piece of the ancillary data of a Message: cmsg(3). Its zero
// value means nothing.
type ControlMessage struct {
	Level int // as of an option: SOL_SOCKET, IPPROTO_IP ...
	Type  int // such as SCM_RIGHTS, by the system's manual
	Data  []byte
}

// SCM_RIGHTS is the type of ancillary data, of the level SOL_SOCKET, that is
// descriptors: unix(7).
const SCM_RIGHTS = syscall.SCM_RIGHTS

// ParseControl takes ancillary data apart, as RecvMsg has put it into the first ControlN
// bytes of Control. The Data are parts of it, not copies. It fails with syscall.EINVAL
// if it was cut off in a bad place.
func ParseControl(control []byte) ([]ControlMessage, error) {
	parsed, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	messages := make([]ControlMessage, len(parsed))
	for i, p := range parsed {
		messages[i] = ControlMessage{int(p.Header.Level), int(p.Header.Type), p.Data}
	}
	return messages, nil
}

// AppendControl appends c to ancillary data, for the Control of a Message to be sent.
func AppendControl(control []byte, c ControlMessage) []byte {
	return poll.AppendControl(control, c.Level, c.Type, c.Data)
}

// ControlSpace is how many bytes of Control a ControlMessage takes that has so many
// bytes of Data: CMSG_SPACE.
func ControlSpace(data int) int { return syscall.CmsgSpace(data) }

// Rights is a ControlMessage that passes descriptors to another process. They must stay
// open until it has been sent, and are still the caller's after that.
func Rights(fds ...int) ControlMessage {
	data := make([]byte, 0, 4*len(fds))
	for _, fd := range fds {
		if !poll.IsFD(fd) {
			fd = -1 // sendmsg(2) refuses that; truncated, fd would be another descriptor
		}
		data = binary.NativeEndian.AppendUint32(data, uint32(fd))
	}
	return ControlMessage{SOL_SOCKET, SCM_RIGHTS, data}
}

// Rights returns the descriptors that c passes, none if it is something else. They are
// the receiver's, who has to close them.
func (c ControlMessage) Rights() []int {
	if c.Level != SOL_SOCKET || c.Type != SCM_RIGHTS {
		return nil
	}
	fds := make([]int, 0, len(c.Data)/4)
	for data := c.Data; len(data) >= 4; data = data[4:] {
		fds = append(fds, int(int32(binary.NativeEndian.Uint32(data))))
	}
	return fds
}
