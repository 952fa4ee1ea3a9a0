package httptask_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/httptask"
	"github.com/curio-go/curio/internal/testutil"
)

// A site is a server whose handlers are tasks of a kernel of its own.
type site struct {
	*httptest.Server
	kernel *curio.Kernel
	mu     sync.Mutex
	logged strings.Builder // by the kernel and by net/http
}

func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.Write(p)
}

func (s *site) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logged.String()
}

func serve(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	s := new(site)
	s.kernel = curio.NewKernel(curio.Logger(slog.New(slog.NewTextHandler(s, nil))))
	base, cancel := context.WithCancel(context.Background())
	ready := make(chan context.Context)
	ended := make(chan error)
	go func() {
		ended <- s.kernel.Run(base, func(ctx context.Context) error {
			ready <- ctx
			return curio.Sleep(ctx, time.Hour)
		})
	}()
	ctx := <-ready
	s.Server = httptest.NewUnstartedServer(httptask.Handler(h))
	s.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	s.Config.ErrorLog = log.New(s, "net/http: ", 0)
	s.Start()
	t.Cleanup(func() {
		s.Close()
		cancel()
		_ = testutil.Receive(t, "end of the kernel's main task", ended)
		if err := s.kernel.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) get(path string) (string, int, error) {
	r, err := s.Client().Get(s.URL + path)
	if err != nil {
		return "", 0, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), r.StatusCode, err
}

// task returns the task of that name, when it waits.
func (s *site) task(t *testing.T, name, state string) (found *curio.AnyTask) {
	t.Helper()
	testutil.Await(t, "the task "+name, func() bool {
		for _, task := range s.kernel.Tasks() {
			if task.Name() == name && task.State() == state {
				found = task
			}
		}
		return found != nil
	})
	return found
}

// A request is a task of the kernel, by its name, and its context is the task's.
func TestRequestIsATask(t *testing.T) {
	var kernel *curio.Kernel
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if curio.KernelOf(r.Context()) != kernel {
			t.Error("it is another kernel's")
		}
		fmt.Fprint(w, curio.CurrentTask(r.Context()).Name())
	})
	kernel = s.kernel
	for path, want := range map[string]string{
		"/a?b=c":                              "GET /a",
		"/" + strings.Repeat("x", 1000):       "GET /" + strings.Repeat("x", 123) + "…",
		"/aa" + strings.Repeat("%C3%A4", 500): "GET /aa" + strings.Repeat("ä", 60) + "…",
	} {
		if body, status, err := s.get(path); body != want || status != 200 || err != nil {
			t.Errorf("%q, %d, %v, want %q", body, status, err, want)
		}
	}
}

// A panic is logged once, with the handler's stack, and the client does not get a whole answer.
func TestPanics(t *testing.T) {
	for how, c := range map[string]struct {
		end  func()
		says string
	}{
		"panic":  {func() { panic("kaboom") }, "kaboom"},
		"bug":    {func() { _ = make([]int, 1)[len(os.Args)+1] }, "index out of range"},
		"abort":  {func() { panic(http.ErrAbortHandler) }, ""},
		"Goexit": {runtime.Goexit, ""},
	} {
		t.Run(how, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintln(w, "half an answer")
				_ = http.NewResponseController(w).Flush()
				c.end()
			})
			body, _, err := s.get("/")
			if body != "half an answer\n" || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%q, %v", body, err)
			}
			said := s.log()
			if strings.Contains(said, "net/http: ") || (c.says == "") != (said == "") || !strings.Contains(said, c.says) ||
				strings.Count(said, "level=") > 1 || c.says != "" && !strings.Contains(said, "httptask_test.go") {
				t.Errorf("logged:\n%s", said)
			}
		})
	}
}

// The client has what has been flushed while the handler still runs; when it leaves, the handler is
// cancelled.
func TestStreamsUntilTheClientLeaves(t *testing.T) {
	cancelled := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "first")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		cancelled <- curio.Sleep(r.Context(), time.Hour)
	})
	r, err := s.Client().Get(s.URL + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r.Body).ReadString('\n')
	if line != "first\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	s.task(t, "GET /stream", "TIME_SLEEP")
	r.Body.Close()
	if err := testutil.Receive(t, "end of the handler", cancelled); !errors.Is(err, curio.ErrTaskCancelled) {
		t.Errorf("the handler: %v", err)
	}
}

// A connection can be taken over; what the handler has spawned ends with the request.
func TestHijack(t *testing.T) {
	child := make(chan error, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		var begun curio.Event
		curio.Go(r.Context(), func(ctx context.Context) error {
			begun.Set()
			err := curio.Sleep(ctx, time.Hour)
			child <- err
			return err
		})
		if err := begun.Wait(r.Context()); err != nil {
			t.Error(err)
		}
		fmt.Fprint(rw, "what I like\n")
		_ = rw.Flush()
	})
	conn := testutil.Dial(t, s.Listener.Addr().String())
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if all, err := io.ReadAll(conn); string(all) != "what I like\n" || err != nil {
		t.Errorf("%q, %v", all, err)
	}
	if err := testutil.Receive(t, "end of the child", child); !errors.Is(err, curio.ErrTaskCancelled) {
		t.Errorf("the child: %v", err)
	}
}

// A task can be cancelled from outside, and Shutdown of the server waits for it.
func TestCancelledFromOutside(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		err := curio.Sleep(r.Context(), time.Hour)
		who, _ := curio.WhoCancelled(err)
		http.Error(w, fmt.Sprint(who.Reason), http.StatusServiceUnavailable)
	})
	var got sync.WaitGroup
	got.Go(func() {
		if body, status, err := s.get("/nap"); body != "too late\n" || status != 503 || err != nil {
			t.Errorf("%q, %d, %v", body, status, err)
		}
	})
	task := s.task(t, "GET /nap", "TIME_SLEEP")
	down := make(chan error, 1)
	go func() { down <- s.Config.Shutdown(context.Background()) }()
	testutil.Await(t, "a refusal", func() bool {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if task.Terminated() {
		t.Error("the shutdown has not waited")
	}
	task.CancelNow(errors.New("too late"))
	if err := testutil.Receive(t, "end of the shutdown", down); err != nil {
		t.Error(err)
	}
	got.Wait()
}

// With a kernel that has been shut down, the answer says so.
func TestKernelThatIsShutDown(t *testing.T) {
	kernel := curio.NewKernel()
	var ctx context.Context
	_ = kernel.Run(context.Background(), func(c context.Context) error { ctx = context.WithoutCancel(c); return nil })
	if err := kernel.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil).WithContext(ctx)
	httptask.Handler(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

func TestNilHandler(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "curio/httptask: ") {
			t.Errorf("it panics with %q", text)
		}
	}()
	httptask.Handler(nil)
}
