package poll_test

import (
	"encoding/binary"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
)

// rights appends ancillary data that passes descriptors.
func rights(control []byte, fds ...int32) []byte {
	var data []byte
	for _, fd := range fds {
		data = binary.NativeEndian.AppendUint32(data, uint32(fd))
	}
	return poll.AppendControl(control, syscall.SOL_SOCKET, syscall.SCM_RIGHTS, data)
}

func descriptorsIn(control []byte) (fds []int32) {
	for _, fd := range poll.Descriptors(control) {
		fds = append(fds, *fd)
	}
	return fds
}

// Descriptors finds the descriptors among other ancillary data, wherever the data is
// truncated.
func TestDescriptors(t *testing.T) {
	all := rights(nil, 10, 11)
	all = poll.AppendControl(all, syscall.SOL_SOCKET, 0x7777, []byte("something else"))
	all = poll.AppendControl(all, syscall.IPPROTO_IP, syscall.SCM_RIGHTS, []byte{1, 0, 0, 0})
	all = rights(all, 12)
	if got := descriptorsIn(all); !slices.Equal(got, []int32{10, 11, 12}) {
		t.Error(got)
	}
	for n := range all {
		got := descriptorsIn(slices.Clone(all[:n]))
		if !slices.Equal(got, []int32{10, 11, 12}[:len(got)]) {
			t.Errorf("of %d bytes: %v", n, got)
		}
	}
	binary.NativeEndian.PutUint64(all, 1<<63-1) // it overflows if anything is added
	if got := descriptorsIn(all); strconv.IntSize == 64 && len(got) < 2 {
		t.Error(got)
	}
	clear(all[:8]) // a length of 0
	if got := descriptorsIn(all); got != nil {
		t.Error(got)
	}
}

func FuzzDescriptors(f *testing.F) {
	f.Add(rights(nil, 1, 2, 3))
	f.Add(rights(rights(nil), -1))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\x7f00000000"))
	f.Fuzz(func(t *testing.T, control []byte) {
		if got := descriptorsIn(control); 4*len(got) > len(control) {
			t.Errorf("%d descriptors in %d bytes", len(got), len(control))
		}
	})
}
