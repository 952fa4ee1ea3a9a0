package socket

import (
	"encoding/binary"
	"syscall"
)

// SCM_CREDENTIALS is the type of ancillary data, at level SOL_SOCKET, that tells a peer's
// [Credentials]. A Unix domain socket receives it when [PassCredentials] is set.
const SCM_CREDENTIALS = syscall.SCM_CREDENTIALS

// Control returns a ControlMessage that tells c to the receiver. The system allows only a
// privileged process to send credentials other than its own.
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

// Credentials returns the credentials that c carries. The second result is false if c is something
// else.
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
