package file

// Of lseek(2), where they have each other's numbers.
const (
	seekHole = 3
	seekData = 4
)
