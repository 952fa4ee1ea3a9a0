package curiotest_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio/curiotest"
)

func TestServe(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	conn := curiotest.Dial(t, ctx, curiotest.Serve(t, ctx, echo))
	if _, err := conn.SendAll(ctx, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, err := conn.Recv(ctx, buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("%q, %v", buf[:n], err)
	}
}

// Also with a context that ends.
func TestServeUnderCancellation(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return greet(ctx, curiotest.Serve(t, ctx, echo))
	})
}

func TestDialFails(t *testing.T) {
	w := observe(t, func(t testing.TB) {
		ctx := curiotest.NoLeaks(t)
		curiotest.Dial(t, ctx, "127.0.0.1")
		t.Error("it goes on")
	})
	w.has(t, "missing port")
	if len(w.failures) != 1 {
		t.Errorf("it says %q", w.failures)
	}
}
