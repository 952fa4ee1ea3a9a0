package fetch

import (
	"context"

	"github.com/curio-go/curio"
)

// FirstCurio returns the pages in the order of urls, or the first failure.
func FirstCurio(ctx context.Context, urls []string, settings Settings) ([][]byte, error) {
	return curio.Map(ctx, urls, settings.getCurio, curio.Limit(settings.Concurrency))
}

// AllCurio returns the pages that can be got, in the order of urls, and every failure.
func AllCurio(ctx context.Context, urls []string, settings Settings) ([][]byte, error) {
	return curio.Map(ctx, urls, settings.getCurio, curio.Limit(settings.Concurrency), curio.KeepGoing)
}

func (s Settings) getCurio(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := curio.WithTimeout(ctx, s.Timeout)
	defer cancel()
	return get(ctx, url, s.MaxBytes)
}
