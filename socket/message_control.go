package socket

import (
	"encoding/binary"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// A ControlMessage is one piece of the ancillary data of a [Message]: cmsg(3).
type ControlMessage struct {
	Level int    // the protocol, as for an option: SOL_SOCKET, IPPROTO_IP ...
	Type  int    // such as SCM_RIGHTS; see the system's manual
	Data  []byte // in the host's byte order
}

// SCM_RIGHTS is the type of ancillary data, at level SOL_SOCKET, that passes descriptors: unix(7).
const SCM_RIGHTS = syscall.SCM_RIGHTS

// ParseControl splits ancillary data into messages. control is the first ControlN bytes of Control,
// as RecvMsg filled it. The Data of the messages share memory with control. ParseControl returns
// syscall.EINVAL if control is truncated or malformed.
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

// AppendControl appends c to control and returns the extended slice, for the Control of a [Message]
// to be sent.
func AppendControl(control []byte, c ControlMessage) []byte {
	return poll.AppendControl(control, c.Level, c.Type, c.Data)
}

// ControlSpace returns how many bytes of Control a ControlMessage with data bytes of Data takes:
// CMSG_SPACE.
func ControlSpace(data int) int { return syscall.CmsgSpace(data) }

// Rights returns a ControlMessage that passes descriptors to another process: SCM_RIGHTS. They must
// stay open until it has been sent, and still belong to the caller afterwards.
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

// Rights returns the descriptors that c passes, or nil if c is something else. They belong to the
// receiver, who must close them.
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
