package process

// SetOOMKills sets where the number of processes that the system has killed is read from.
func SetOOMKills(self, mounts string) (restore func()) {
	before := theOOMKills
	theOOMKills = &oomKills{self: self, mounts: mounts}
	return func() { theOOMKills = before }
}

// OOMKills returns the number.
func OOMKills() uint64 { return theOOMKills.now() }
