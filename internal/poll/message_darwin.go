package poll

// macOS has neither flag. The runtime ignores a SIGPIPE of a socket, and receive marks
// the descriptors itself.
const (
	noSignal     = 0
	closedOnExec = 0
)
