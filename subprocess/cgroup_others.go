//go:build !linux

package subprocess

// There are no cgroups here: the process group takes their place.

type cgroup struct{}

func openCgroup(string) (*cgroup, error) { return nil, nil }

func (g *cgroup) close()            {}
func (g *cgroup) kill() error       { return nil }
func (g *cgroup) isPopulated() bool { return false }

func refusesCgroup(error) bool { return false }
