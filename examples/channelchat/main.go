// Channelchat is a chat without a server: each member is a process that has a channel with each of the
// others, over Unix sockets in a folder that is yours alone. Members come and go as they like, and each
// hears of it. Try it with three:
//
//	go run ./examples/channelchat Ann Bob Cleo
//	go run ./examples/channelchat Bob Ann Cleo
//	go run ./examples/channelchat Cleo Ann Bob
//
// What you type goes to all who are there. Ctrl-D or Ctrl-C ends a member.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
)

const (
	longestName = 20
	longest     = 1000 // bytes of a line
)

func main() {
	dir := flag.String("dir", "", "`FOLDER` of the sockets; without it, one in your cache folder")
	patience := flag.Duration("patience", 10*time.Second, "how long a member that does not read holds you up")
	flag.Parse()
	names := flag.Args()
	if len(names) < 2 || !slices.Equal(slices.Compact(slices.Sorted(slices.Values(names))), slices.Sorted(slices.Values(names))) || !allGood(names) {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: channelchat [flags] YOUR-NAME NAME…")
		flag.PrintDefaults()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		dir, err := private(*dir)
		if err != nil {
			return err
		}
		lines, err := stream.FromFile(os.Stdin)
		if err != nil {
			return err
		}
		defer lines.Close()
		c := &chat{me: names[0], others: names[1:], dir: dir, out: os.Stdout, patience: *patience}
		return c.run(ctx, lines)
	}, curio.StopOnSignals()))
}

// allGood refuses what is no name of a file, or could be taken for something else on the screen.
func allGood(names []string) bool {
	for _, name := range names {
		if name == "" || len(name) > longestName {
			return false
		}
		for _, r := range name {
			if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9') {
				return false
			}
		}
	}
	return true
}

// private returns the folder for the sockets, and makes it if it has no name. No key is needed in it:
// nobody else gets to the sockets.
func private(dir string) (string, error) {
	if dir == "" {
		cache, err := os.UserCacheDir() // in the folder for temporary files others could be first to make one of that name
		if err != nil {
			return "", err
		}
		dir = filepath.Join(cache, "channelchat")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	info, err := os.Lstat(dir) // not what a link of somebody else's leads to
	switch {
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder", dir)
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("%s is open to other users: make it yours alone, with chmod 700", dir)
	}
	return dir, nil
}
