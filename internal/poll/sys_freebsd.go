package poll

import "syscall"

func accept(fd int, peer *Name) (int, error) {
	n, sa, err := syscall.Accept4(fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	if err != nil {
		return -1, err
	}
	*peer, _ = nameFrom(sa, nil)
	return aboveStdio(n)
}
