package network_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// The file of a relative path is removed, wherever the process has gone meanwhile, and not
// one there that has the same name.
func TestUnixRelativePath(t *testing.T) {
	testutil.NoLeaks(t)
	here, there := filepath.Dir(socketPath(t)), filepath.Dir(socketPath(t))
	t.Chdir(here)
	listener := listenUnix(t, "s", nil)
	t.Chdir(there)
	stale(t, "s")
	must(t, listener.Close())
	if exists(filepath.Join(here, "s")) {
		t.Error("its file is left")
	}
	if !exists(filepath.Join(there, "s")) {
		t.Error("it has removed another file")
	}
}

// A symbolic link in the way is followed by nobody.
func TestUnixSymlink(t *testing.T) {
	testutil.NoLeaks(t)
	path := socketPath(t)
	for name, target := range map[string]string{"dangling": path + "-none", "stale": path + "-stale"} {
		if name == "stale" {
			stale(t, target)
		}
		must(t, os.Symlink(target, path))
		if l, err := network.ListenUnix(t.Context(), path, &network.ServerConfig{Mode: 0o600}); err == nil {
			l.Close()
			t.Errorf("%s: it listens", name)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSymlink {
			t.Errorf("%s: the link is gone: %v", name, err)
		}
		must(t, os.Remove(path))
	}
}

// Somebody who locks the directory and does not let go of it keeps nobody from listening
// for good: anybody may do that who may read the directory.
func TestUnixDirectoryLockedForEver(t *testing.T) {
	testutil.NoLeaks(t)
	network.LockFor(t, short)
	path := socketPath(t)
	lockDirectory(t, path)
	listener := listenUnix(t, path, nil)
	conn, err := net.Dial("unix", path)
	must(t, err)
	conn.Close()
	must(t, listener.Close())
}
