package subprocess

import (
	"bytes"
	"os"
	"strconv"
)

// groupLives reports whether a member of the process group runs. The system counts those that have ended
// and whose parent has not noticed: in a container where nobody collects orphans they stay for ever. If
// that cannot be found out, it is true.
func groupLives(group int) bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return true
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return true
	}
	for _, name := range names {
		if _, err := strconv.Atoi(name); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		if state, of := parseStat(stat); of == group && state != 'Z' && state != 'X' {
			return true
		}
	}
	return false
}

// parseStat returns the state and the process group of a /proc/pid/stat. The name in there, in brackets,
// may have anything in it.
func parseStat(stat []byte) (state byte, group int) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 3 {
		return 0, 0
	}
	group, _ = strconv.Atoi(string(fields[2]))
	return fields[0][0], group
}
