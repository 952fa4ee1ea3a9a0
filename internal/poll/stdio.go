package poll

import "syscall"

// firstFree is the lowest number that a descriptor of ours may have. The numbers below it
// belong to the standard streams, even if these are closed: otherwise what a program
// prints, or the runtime when it crashes, would go into a connection that has such a
// number.
const firstFree = 3

// aboveStdio gives a new descriptor another number if it has the number of a standard stream. It
// closes the descriptor if that fails.
//
// For a moment the descriptor has the low number. To prevent that, the low numbers would
// have to be in use, which is for the program to decide.
func aboveStdio(fd int) (int, error) {
	if fd >= firstFree {
		return fd, nil
	}
	n, err := Dup(fd)
	syscall.Close(fd)
	return n, err
}

// pairAboveStdio is aboveStdio for both descriptors of a pair.
func pairAboveStdio(pair [2]int) (_ [2]int, err error) {
	for i, fd := range pair {
		if pair[i], err = aboveStdio(fd); err != nil {
			syscall.Close(pair[1-i])
			return pair, err
		}
	}
	return pair, nil
}
