package poll_test

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
)

// FuzzName: what is put into a name comes out of it, or is refused.
func FuzzName(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, uint16(80), uint32(0), "")
	f.Add(netip.MustParseAddr("fe80::1").AsSlice(), uint16(0), uint32(3), "/a path")
	f.Add(netip.MustParseAddr("::ffff:1.2.3.4").AsSlice(), uint16(65535), uint32(0), "@abstract")
	f.Add([]byte{1}, uint16(1), uint32(1), strings.Repeat("x", 108))
	f.Fuzz(func(t *testing.T, ip []byte, port uint16, zone uint32, path string) {
		var n poll.Name
		addr, ok := netip.AddrFromSlice(ip)
		if ok {
			for _, inet6 := range []bool{false, true} {
				if !n.SetAddrPort(netip.AddrPortFrom(addr, port), inet6, zone) {
					if inet6 || addr.Unmap().Is4() {
						t.Fatalf("%v is refused", addr)
					}
					continue
				}
				got, gotZone := n.AddrPort()
				if got != netip.AddrPortFrom(addr.Unmap(), port) || inet6 && gotZone != zone {
					t.Errorf("%v port %d zone %d came back as %v zone %d", addr, port, zone, got, gotZone)
				}
			}
		}
		if !n.Set(&syscall.SockaddrUnix{Name: path}) || strings.Contains(path, "\x00") || path == "" {
			return
		}
		want := syscall.Sockaddr(&syscall.SockaddrUnix{Name: path})
		if got := n.Sockaddr(); nameOf(got) != nameOf(want) {
			t.Errorf("%q came back as %q", path, nameOf(got))
		}
	})
}

func nameOf(sa syscall.Sockaddr) string {
	if unix, ok := sa.(*syscall.SockaddrUnix); ok {
		return unix.Name
	}
	return fmt.Sprintf("%T", sa)
}
