// Package fetch gets many pages, a few at a time, written twice: with Curio in curio.go,
// and with the standard library and errgroup in std.go.
//
// Each page has its own timeout. First gives up all others when one has failed. All gets
// what can be got, and returns every failure. Both end soon after their context.
package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Settings are the limits. All of them have to be set.
type Settings struct {
	Concurrency int           // pages at a time
	Timeout     time.Duration // for each page
	MaxBytes    int64         // of a page
}

// Default is for pages on the open internet.
var Default = Settings{Concurrency: 20, Timeout: 10 * time.Second, MaxBytes: 1 << 20}

// get gets one page.
func get(ctx context.Context, url string, maxBytes int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err // it names the URL
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("get %q: %s", url, response.Status)
	}
	page, err := io.ReadAll(io.LimitReader(response.Body, maxBytes+1))
	if err == nil && int64(len(page)) > maxBytes {
		err = fmt.Errorf("more than %d bytes", maxBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", url, err)
	}
	return page, nil
}
