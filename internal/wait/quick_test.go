package wait

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestQuick(t *testing.T) {
	k := NewKernel()
	o := &Owner{}
	o.InitTask(context.Background(), k)
	ctx := context.Context(&o.Scope)
	s := NewTimeout(ctx, After(20*time.Millisecond))
	s2 := NewTimeout(s, After(time.Hour))
	err := Sleep(s2, After(time.Second))
	t.Log(err, errors.Is(err, ErrTimeoutCancellation))
	err = Sleep(s, After(time.Second))
	t.Log(err, errors.Is(err, ErrTaskTimeout), context.Cause(s2), s2.Err())
	s2.Close()
	s.Close()
	t.Log(Sleep(ctx, After(time.Millisecond)))
	o.Cancel(NewCause(&o.Scope, Cancelled, nil))
	t.Log(Sleep(ctx, After(time.Millisecond)))
}
func BenchmarkTimeout(b *testing.B) {
	b.ReportAllocs()
	k := NewKernel()
	o := &Owner{}
	o.InitTask(context.Background(), k)
	ctx := context.Context(&o.Scope)
	for b.Loop() {
		s := NewTimeout(ctx, After(time.Minute))
		s.Close()
	}
}
func BenchmarkStd(b *testing.B) {
	b.ReportAllocs()
	k, c0 := context.WithCancel(context.Background())
	defer c0()
	for b.Loop() {
		_, c := context.WithTimeout(k, time.Minute)
		c()
	}
}
