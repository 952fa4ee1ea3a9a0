//go:build !linux

package subprocess

import "syscall"

// There are no cgroups here: the process group takes their place.

type cgroup struct{}

func openCgroup(string) (*cgroup, error) { return nil, nil }

func (g *cgroup) close()                     {}
func (g *cgroup) kill() error                { return nil }
func (g *cgroup) isPopulated() bool          { return false }
func (g *cgroup) signal(syscall.Signal, int) {}

func refusesCgroup(error) bool { return false }
