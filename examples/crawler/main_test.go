package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t)
	child.After("crawling from http://127.0.0.1:")
	if printed, status := child.Rest(); printed != "found 99 pages, and 1 that did not answer in time\n" || status != 0 {
		t.Errorf("it printed %q and ended with status %d", printed, status)
	}
}

func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "-timeout", "1h")
	child.After("crawling from http://127.0.0.1:")
	child.Interrupt()
	if said := child.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// A site may send without end, link elsewhere, or link in circles.
func TestFetch(t *testing.T) {
	testutil.NoLeaks(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/endless" {
			for block := strings.Repeat("x", 64<<10); ; {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		}
		io.WriteString(w, `<a href="/a"><a href="/a#b"><a href="http://elsewhere.test/"><a href="mailto:me"><a href="b">`)
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	links, err := fetch(t.Context(), server.URL+"/x")
	if want := []string{server.URL + "/a", server.URL + "/a", server.URL + "/b"}; err != nil || !slices.Equal(links, want) {
		t.Errorf("%q, %v, want %q", links, err, want)
	}
	if links, err = fetch(t.Context(), server.URL+"/endless"); err != nil || len(links) > 0 {
		t.Errorf("%q, %v", links, err)
	}
}
