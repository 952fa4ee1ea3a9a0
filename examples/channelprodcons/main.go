// Channelprodcons is a producer and its consumers, in processes of their own: the producer has numbers,
// each consumer factors one at a time and sends the factors back, and the producer prints them in order.
// What they say to each other is JSON in the message format of Python's multiprocessing.connection, so
// either side may be the Python program of the same name in this folder. Both have the key in a file,
// which only you may be able to read. Start them in any order, and as many consumers as you like:
//
//	(umask 077; head -c 32 /dev/urandom > key)
//	go run ./examples/channelprodcons -key key produce
//	go run ./examples/channelprodcons -key key consume
//	python3 examples/channelprodcons/consumer.py --key key
//	python3 examples/channelprodcons/producer.py --key key
//
// A consumer that dies, is too slow or sends nonsense costs nothing but time: another one gets its number.
// At Ctrl-C or SIGTERM a consumer finishes the number that it has; a second Ctrl-C ends it at once.
//
// The key proves to each side, at the beginning, that the other one knows it. It hides nothing: between
// machines, lead the connection through TLS.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/file"
)

const (
	shortestKey = 16
	longestKey  = 4096
	longest     = 1 << 10 // bytes of a message
)

// An item is what the producer sends. Its answer has the same number in ID.
type item struct {
	ID     int   `json:"id"`
	Number int64 `json:"number"`
}

type answer struct {
	ID      int     `json:"id"`
	Factors []int64 `json:"factors"`
}

type settings struct {
	addr, key string

	// The producer's.
	first  int64
	count  int
	within time.Duration

	// The consumer's.
	pace, patience, idle time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.addr, "addr", "127.0.0.1:25003", "`HOST:PORT` where the producer listens")
	flag.StringVar(&s.key, "key", "", "`FILE` with the key that both sides have")
	flag.Int64Var(&s.first, "first", 1_000_001, "the producer's first number")
	flag.IntVar(&s.count, "count", 20, "how many numbers the producer has")
	flag.DurationVar(&s.within, "within", time.Minute, "how long a consumer may take for a number")
	flag.DurationVar(&s.pace, "pace", 0, "how long the consumer rests before it answers")
	flag.DurationVar(&s.patience, "patience", time.Minute, "how long the consumer waits for the producer to be there")
	flag.DurationVar(&s.idle, "idle", time.Hour, "how long the consumer waits for a number")
	grace := flag.Duration("grace", 5*time.Second, "how long the consumer may take to finish when it is asked to stop")
	flag.Parse()
	opts := []curio.KernelOption{curio.StopOnSignals()}
	var role func(context.Context, *settings, *channel.Config) error
	switch flag.Arg(0) {
	case "produce":
		role = produce
	case "consume":
		role, opts = consume, append(opts, curio.Grace(*grace))
	}
	if role == nil || flag.NArg() > 1 || s.key == "" || s.count <= 0 || s.count > mostItems || s.first <= 1 || s.first > largest-mostItems {
		flag.Usage()
		os.Exit(2)
	}
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		key, err := readKey(ctx, s.key)
		if err != nil {
			return err
		}
		return role(ctx, &s, &channel.Config{Key: key, MaxMessage: longest})
	}, opts...))
}

// readKey reads the key from a file, which has to be for this user alone.
func readKey(ctx context.Context, path string) ([]byte, error) {
	f, err := file.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat(ctx)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s is open to other users: make it yours alone, with chmod 600", path)
	}
	key, err := f.ReadAll(ctx, longestKey)
	if err == nil && len(key) < shortestKey {
		err = fmt.Errorf("the key in %s has %d bytes, where %d are the least", path, len(key), shortestKey)
	}
	return key, err
}

// errNonsense is the other side's: it has the key, and does not do as agreed.
var errNonsense = errors.New("an answer that does not fit")
