package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/examples/compared/fetch"
	"github.com/curio-go/curio/internal/testutil"
)

type fetcher = func(context.Context, []string, fetch.Settings) ([][]byte, error)

// A site has a page for each path, and some that are not as they should be.
type site struct {
	url       string
	now, most atomic.Int64
	hangs     chan struct{} // gets a value for each request that hangs
}

func newSite(t *testing.T) *site {
	s := &site{hangs: make(chan struct{}, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := s.now.Add(1)
		defer s.now.Add(-1)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/missing"):
			http.NotFound(w, r)
		case strings.HasPrefix(r.URL.Path, "/hangs"):
			s.hangs <- struct{}{}
			<-r.Context().Done() // the client has given up
		case strings.HasPrefix(r.URL.Path, "/long"):
			fmt.Fprint(w, strings.Repeat("x", 1<<16))
		default:
			fmt.Fprint(w, "page "+r.URL.Path)
		}
	}))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		server.Close()
	})
	s.url = server.URL
	return s
}

// pages are 200 URLs, with others in place of some.
func (s *site) pages(instead map[int]string) (urls []string) {
	for i := range 200 {
		path := fmt.Sprintf("/%d", i)
		if other := instead[i]; other != "" {
			path = fmt.Sprintf("/%s/%d", other, i)
		}
		urls = append(urls, s.url+path)
	}
	return urls
}

// missing are those of 200 pages that are not what they should be.
func wrongPages(pages [][]byte) (wrong []int) {
	for i := range 200 {
		if i >= len(pages) || string(pages[i]) != fmt.Sprintf("page /%d", i) {
			wrong = append(wrong, i)
		}
	}
	return wrong
}

var patient = fetch.Settings{Concurrency: 10, Timeout: time.Minute, MaxBytes: 1000}

// inKernel calls f as a task.
func inKernel(f fetcher, urls []string, settings fetch.Settings, act func(cancel context.CancelFunc)) (pages [][]byte, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if act != nil {
		go act(cancel)
	}
	err = curio.Run(ctx, func(ctx context.Context) (err error) {
		pages, err = f(ctx, urls, settings)
		return err
	})
	return pages, err
}

func TestFetch(t *testing.T) {
	for name, f := range map[string][2]fetcher{"first": {fetch.FirstCurio, fetch.FirstStd}, "all": {fetch.AllCurio, fetch.AllStd}} {
		t.Run("want="+name, func(t *testing.T) {
			versions(t, f[0], f[1], func(t *testing.T, f fetcher) {
				s := newSite(t)
				pages, err := inKernel(f, s.pages(nil), patient, nil)
				if wrong := wrongPages(pages); err != nil || len(wrong) > 0 {
					t.Errorf("pages %v are wrong, %v", wrong, err)
				}
				if most := s.most.Load(); most > int64(patient.Concurrency) {
					t.Errorf("%d requests at a time", most)
				}
			})
		})
	}
}

func TestFetchFirst(t *testing.T) {
	versions(t, fetch.FirstCurio, fetch.FirstStd, func(t *testing.T, f fetcher) {
		s := newSite(t)
		urls := s.pages(map[int]string{5: "hangs", 20: "hangs", 30: "missing"})
		pages, err := inKernel(f, urls, patient, nil)
		if err == nil || !strings.Contains(err.Error(), urls[30]) || !strings.Contains(err.Error(), "404") {
			t.Errorf("%v, want the failure of %s", err, urls[30])
		}
		if wrong := wrongPages(pages); len(pages) != 200 || len(wrong) < 100 {
			t.Errorf("%d pages, %d are wrong: it went on", len(pages), len(wrong))
		}
	})
}

func TestFetchAll(t *testing.T) {
	settings := patient
	settings.Timeout = time.Second
	versions(t, fetch.AllCurio, fetch.AllStd, func(t *testing.T, f fetcher) {
		s := newSite(t)
		bad := []int{5, 20, 30, 199}
		urls := s.pages(map[int]string{bad[0]: "missing", bad[1]: "hangs", bad[2]: "long", bad[3]: "missing"})
		pages, err := inKernel(f, urls, settings, nil)
		if wrong := wrongPages(pages); fmt.Sprint(wrong) != fmt.Sprint(bad) {
			t.Errorf("pages %v are wrong", wrong)
		}
		if all, ok := errors.AsType[interface {
			error
			Unwrap() []error
		}](err); !ok || len(all.Unwrap()) != len(bad) {
			t.Fatalf("%v, want %d failures", err, len(bad))
		}
		for _, i := range bad {
			if !strings.Contains(err.Error(), urls[i]) {
				t.Errorf("%v does not name %s", err, urls[i])
			}
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not say that a page timed out", err)
		}
	})
}

func TestFetchCancelled(t *testing.T) {
	for name, f := range map[string][2]fetcher{"first": {fetch.FirstCurio, fetch.FirstStd}, "all": {fetch.AllCurio, fetch.AllStd}} {
		t.Run("want="+name, func(t *testing.T) {
			versions(t, f[0], f[1], func(t *testing.T, f fetcher) {
				s := newSite(t)
				_, err := inKernel(f, s.pages(map[int]string{5: "hangs"}), patient, func(cancel context.CancelFunc) {
					<-s.hangs
					cancel()
				})
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				testutil.Await(t, "end of all requests", func() bool { return s.now.Load() == 0 })
			})
		})
	}
}
