package socket

import (
	"encoding/binary"
	"syscall"
)

// SCM_CREDENTIALS is the type of ancillary data, of the level SOL_SOCKET, that is
// Credentials. It comes with what a socket of the Unix domain receives once the option
// SO_PASSCRED is set.
const SCM_CREDENTIALS = syscall.SCM_CREDENTIALS

// Control is a ControlMessage that tells c to the receiver. The system lets only a
// privileged process give others than its own.
func (c Credentials) Control() ControlMessage {
	var data []byte
	for _, id := range []int{c.PID, c.UID, c.GID} {
		if int64(id) != int64(uint32(id)) {
			id = -1 // the system refuses that; truncated, it would be another number
		}
		data = binary.NativeEndian.AppendUint32(data, uint32(id))
	}
	return ControlMessage{SOL_SOCKET, SCM_CREDENTIALS, data}
}

// Credentials returns the credentials that c tells, and false if it is something else.
func (c ControlMessage) Credentials() (Credentials, bool) {
	if c.Level != SOL_SOCKET || c.Type != SCM_CREDENTIALS || len(c.Data) < syscall.SizeofUcred {
		return Credentials{}, false
	}
	return Credentials{
		PID: int(int32(binary.NativeEndian.Uint32(c.Data))),
		UID: int(binary.NativeEndian.Uint32(c.Data[4:])),
		GID: int(binary.NativeEndian.Uint32(c.Data[8:])),
	}, true
}
