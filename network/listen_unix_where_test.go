package network_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// What is no path is refused, and makes no file.
func TestUnixNoPath(t *testing.T) {
	testutil.NoLeaks(t)
	t.Chdir(filepath.Dir(socketPath(t)))
	for path, says := range map[string]string{"": "missing path", "a\x00b": "path with a zero byte"} {
		l, err := network.ListenUnix(t.Context(), path, nil)
		if l != nil || !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, %v", path, l, err)
		}
		isOp(t, "listen", err)
	}
	if exists("a") {
		t.Error("there is a file")
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
