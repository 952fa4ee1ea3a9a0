package subprocess

import "syscall"

// setSystemAttr asks for what only this system has. The system stores the pidfd in f.
func setSystemAttr(attr *syscall.SysProcAttr, f *fork) {
	if usePidfds() {
		attr.PidFD = &f.pidfd
	}
	if f.cgroup != nil {
		attr.UseCgroupFD, attr.CgroupFD = true, f.cgroup.fd
	}
}
