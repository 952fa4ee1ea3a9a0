package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// longestPage is how many bytes of a page are read: a foreign site may send anything.
const longestPage = 1 << 20

// A site has pages 1 to last. Page n links to the pages 2n and 2n+1, and back to n/2. The
// page silent never answers.
type site struct{ last, silent int }

// serve serves the site until ctx is done. Server.Serve takes no context, so that is told to it
// by Close.
func (s site) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// ServeHTTP answers a request.
func (s site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Path[1:])
	if err != nil || n < 1 || n > s.last {
		http.NotFound(w, r)
		return
	}
	if n == s.silent {
		<-r.Context().Done() // the client has given up
		return
	}
	for _, to := range []int{2 * n, 2*n + 1, n / 2} {
		if 1 <= to && to <= s.last {
			fmt.Fprintf(w, "<a href=\"/%d\">%d</a>\n", to, to)
		}
	}
}

var link = regexp.MustCompile(`href="([^"]*)"`)

// fetch returns the links of the page at url that lead to the same site.
func fetch(ctx context.Context, url string) (links []string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, longestPage))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	for _, found := range link.FindAllSubmatch(body, -1) {
		to, err := request.URL.Parse(string(found[1]))
		if err != nil {
			return nil, err
		}
		if to.Scheme == request.URL.Scheme && to.Host == request.URL.Host {
			to.Fragment = "" // it is the same page
			links = append(links, to.String())
		}
	}
	return links, nil
}
