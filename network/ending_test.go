package network_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// A blocking is an operation of this package at a place where it waits. begin
// prepares it: waiting tells whether a task is there, addr is what its error names,
// "" if the error is that of the context alone.
type blocking struct {
	name  string
	begin func(t *testing.T) (op func(ctx context.Context) error, waiting func(task *curio.Task[struct{}]) bool, addr string)
}

func inState(state string) func(task *curio.Task[struct{}]) bool {
	return func(task *curio.Task[struct{}]) bool { return task.State() == state }
}

// silent is a name that is never resolved.
const silent = "silent.invalid:80"

func neverResolved(t *testing.T) (waiting func(*curio.Task[struct{}]) bool) {
	names := useNames(t, map[string][]string{"silent.invalid": nil})
	return func(*curio.Task[struct{}]) bool { return len(names.asked) > 0 }
}

// A sleepy resolver never finds out, and does as it should when ctx ends.
type sleepy struct{ network.Resolver }

func (sleepy) LookupPort(ctx context.Context, _, _ string) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

var blockings = []blocking{
	{"OpenConnection connects", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		addr := testutil.Mute(t)
		return func(ctx context.Context) error {
			_, err := network.OpenConnection(ctx, addr, nil)
			return err
		}, inState("CONNECT_WAIT"), addr
	}},
	{"OpenConnection races", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		mute := testutil.Mute(t)
		config := &network.ConnectConfig{
			Resolver:     &hosts{v4: reply{addrs: "127.0.0.2 127.0.0.1 127.0.0.1 127.0.0.3"}}, // 2 and 3 refuse
			AttemptDelay: -1,
		}
		return func(ctx context.Context) error {
			_, err := network.OpenConnection(ctx, byName("host", mute), config)
			return err
		}, inState("TASKGROUP_NEXT"), byName("host", mute)
	}},
	{"OpenConnection resolves a service", func(*testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		return func(ctx context.Context) error {
			_, err := network.OpenConnection(ctx, "host:service", &network.ConnectConfig{Resolver: sleepy{}})
			return err
		}, inState("DNS_WAIT"), "host:service"
	}},
	{"OpenUnixConnection", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		path := muteUnix(t)
		return func(ctx context.Context) error {
			_, err := network.OpenUnixConnection(ctx, path, nil)
			return err
		}, inState("TIME_SLEEP"), path
	}},
	{"OpenConnection resolves", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		return func(ctx context.Context) error {
			_, err := network.OpenConnection(ctx, silent, nil)
			return err
		}, neverResolved(t), silent
	}},
	{"ListenTCP resolves", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		return func(ctx context.Context) error {
			_, err := network.ListenTCP(ctx, silent, nil)
			return err
		}, neverResolved(t), silent
	}},
	{"TCPServer resolves", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		return func(ctx context.Context) error {
			return network.TCPServer(ctx, silent, echo, nil)
		}, neverResolved(t), silent
	}},
	{"TCPServer accepts", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		return func(ctx context.Context) error {
			return network.TCPServer(ctx, "127.0.0.1:0", echo, nil)
		}, inState("ACCEPT_WAIT"), "127.0.0.1:"
	}},
	{"RunServer accepts", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		listener := listen(t, "127.0.0.1:0", nil)
		addr := listener.LocalAddr().String()
		t.Cleanup(func() { refused(t, addr) })
		return func(ctx context.Context) error {
			return network.RunServer(ctx, listener, echo)
		}, inState("ACCEPT_WAIT"), addr
	}},
	{"RunServer waits for a place", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		listener := listen(t, "127.0.0.1:0", &network.ServerConfig{MaxConnections: 1})
		addr := listener.LocalAddr().String()
		testutil.Dial(t, addr)
		t.Cleanup(func() { refused(t, addr) })
		return func(ctx context.Context) error {
			return network.RunServer(ctx, listener, echo)
		}, inState("SEMA_ACQUIRE"), ""
	}},
	{"UnixServer accepts", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		path := socketPath(t)
		t.Cleanup(func() {
			if exists(path) {
				t.Error("its file is left")
			}
		})
		return func(ctx context.Context) error {
			return network.UnixServer(ctx, path, echo, nil)
		}, inState("ACCEPT_WAIT"), ""
	}},
	{"ListenUnix waits for another one", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		path := socketPath(t)
		lockDirectory(t, path)
		return func(ctx context.Context) error {
			_, err := network.ListenUnix(ctx, path, nil)
			return err
		}, inState("TIME_SLEEP"), path
	}},
	{"RunServer pauses", func(t *testing.T) (func(context.Context) error, func(*curio.Task[struct{}]) bool, string) {
		listener := listen(t, "127.0.0.1:0", nil)
		addr := listener.LocalAddr().String()
		testutil.Dial(t, addr)
		t.Cleanup(func() { refused(t, addr) })
		return func(ctx context.Context) error {
			noMoreDescriptors(t)
			return network.RunServer(ctx, listener, echo)
		}, inState("TIME_SLEEP"), ""
	}},
}

// short is a timeout for what must run into it, whatever else the machine does.
const short = 30 * time.Millisecond

// soon is short for the many in this table.
const soon = 10 * time.Millisecond

// An ending is a way in which the operation of a task is ended.
type ending struct {
	name string
	run  func(op func(context.Context) error, waiting func(*curio.Task[struct{}]) bool, s *server) error
	want []error
}

var endings = []ending{
	{"cancelled before", func(op func(context.Context) error, _ func(*curio.Task[struct{}]) bool, s *server) error {
		release := make(chan struct{})
		s.run(func(ctx context.Context) error {
			<-release
			return op(ctx)
		})
		s.Task.CancelNow()
		close(release)
		return s.end()
	}, taskCancelled},
	{"cancelled while waiting", func(op func(context.Context) error, waiting func(*curio.Task[struct{}]) bool, s *server) error {
		s.run(op)
		testutil.Await(s.t, "wait", func() bool { return waiting(s.Task) })
		return s.cancel()
	}, taskCancelled},
	{"own timeout", func(op func(context.Context) error, _ func(*curio.Task[struct{}]) bool, s *server) error {
		s.run(func(ctx context.Context) error { return curio.TimeoutAfter(ctx, soon, op) })
		return s.end()
	}, taskTimeout},
	{"own timeout expired before", func(op func(context.Context) error, _ func(*curio.Task[struct{}]) bool, s *server) error {
		s.run(func(ctx context.Context) error { return curio.TimeoutAfter(ctx, 0, op) })
		return s.end()
	}, taskTimeout},
	{"outer timeout", func(op func(context.Context) error, _ func(*curio.Task[struct{}]) bool, s *server) error {
		var inner error
		s.run(func(ctx context.Context) error {
			outer := curio.TimeoutAfter(ctx, soon, func(ctx context.Context) error {
				inner = curio.TimeoutAfter(ctx, time.Hour, op)
				return inner
			})
			is(s.t, outer, taskTimeout...)
			return nil
		})
		if err := s.end(); err != nil {
			s.t.Error(err)
		}
		return inner
	}, outerTimeout},
	{"foreign cancelled", func(op func(context.Context) error, waiting func(*curio.Task[struct{}]) bool, s *server) error {
		cancel := make(chan context.CancelFunc, 1)
		s.run(func(ctx context.Context) error {
			ctx, stop := context.WithCancel(ctx)
			cancel <- stop
			return op(ctx)
		})
		stop := testutil.Receive(s.t, "context", cancel)
		testutil.Await(s.t, "wait", func() bool { return waiting(s.Task) })
		stop()
		return s.end()
	}, foreignCancel},
	{"foreign deadline and no task", func(op func(context.Context) error, _ func(*curio.Task[struct{}]) bool, s *server) error {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		return op(ctx)
	}, foreignTimeout},
	{"foreign cancelled before and no task", func(op func(context.Context) error, _ func(*curio.Task[struct{}]) bool, s *server) error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return op(ctx)
	}, foreignCancel},
}

// Each operation that blocks, ended in each way: the error is the one of the
// design's table, in a *net.OpError that says what it was about, and nothing is left.
func TestEndings(t *testing.T) {
	for _, b := range blockings {
		for _, e := range endings {
			t.Run(b.name+"/"+e.name, func(t *testing.T) {
				s := newServer(t)
				op, waiting, addr := b.begin(t)
				before := len(testutil.Descriptors(os.Getpid()))
				err := e.run(op, waiting, s)
				is(t, err, e.want...)
				var opError *net.OpError
				if addr != "" && (!errors.As(err, &opError) || !strings.Contains(err.Error(), addr)) {
					t.Errorf("%v is not a *net.OpError about %s", err, addr)
				}
				if tasks := s.running(); len(tasks) > 0 {
					t.Errorf("tasks are left: %v", tasks)
				}
				restoreLimit(t)
				testutil.NoMoreDescriptors(t, before)
				s.Log.Take(msgPause)
			})
		}
	}
}

// An address that needs no resolving is no reason to listen when it is too late.
func TestListenInACancelledContext(t *testing.T) {
	testutil.NoLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
	if err == nil {
		listener.Close()
	}
	is(t, err, foreignCancel...)
	_, err = network.OpenConnection(ctx, testutil.Refusing(t), nil)
	is(t, err, foreignCancel...)
}

// lockDirectory holds the lock that ListenUnix takes, until the end of the test.
func lockDirectory(t *testing.T, path string) {
	t.Helper()
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}
