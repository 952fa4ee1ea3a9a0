package process

const (
	byPid    = 0
	wNoHang  = 0x1
	wStopped = 0x2
	wNoWait  = 0x8
	wExited  = 0x10
)

// RusageUnit is how many bytes the unit of Rusage.Maxrss has.
const RusageUnit = 1024
