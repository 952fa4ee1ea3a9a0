package poll

import "syscall"

// firstFree is the lowest number that a descriptor of ours may have. The numbers below
// it belong to the standard streams, even if these are closed: what a program prints, or a
// crash of the runtime, would go into a connection that had such a number.
const firstFree = 3

// aboveStdio gives a new descriptor another number if it has one that is kept for the
// standard streams, and closes it if that cannot be done.
//
// For a moment the descriptor has the low number. To have none such, the low numbers would
// have to be occupied, which is the program's to decide.
func aboveStdio(fd int) (int, error) {
	if fd >= firstFree {
		return fd, nil
	}
	n, err := Dup(fd)
	syscall.Close(fd)
	return n, err
}

// pairAboveStdio is aboveStdio for both.
func pairAboveStdio(pair [2]int) (_ [2]int, err error) {
	for i, fd := range pair {
		if pair[i], err = aboveStdio(fd); err != nil {
			syscall.Close(pair[1-i])
			return pair, err
		}
	}
	return pair, nil
}
