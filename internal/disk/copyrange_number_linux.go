package disk

import "runtime"

// sysCopyFileRange is the number of copy_file_range(2), which package syscall does not have; 0 where we
// do not know it.
var sysCopyFileRange = map[string]uintptr{
	"386":      377,
	"amd64":    326,
	"arm":      391,
	"arm64":    285,
	"loong64":  285,
	"mips":     4360,
	"mipsle":   4360,
	"mips64":   5320,
	"mips64le": 5320,
	"ppc64":    379,
	"ppc64le":  379,
	"riscv64":  285,
	"s390x":    375,
}[runtime.GOARCH]
