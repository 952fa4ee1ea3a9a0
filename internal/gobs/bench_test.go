package gobs_test

import (
	"bytes"
	"encoding/gob"
	"testing"

	"github.com/curio-go/curio/internal/gobs"
)

// A call is what is sent to a worker most of the time.
type callOf struct {
	Name string
	N    int
	Data []float64
}

// One value to the other end and decoded there, in the ways that there are.
func BenchmarkTrip(b *testing.B) {
	small := callOf{"fib", 30, []float64{1, 2, 3}}
	large := callOf{"sum", 1, make([]float64, 100_000)}
	for i := range large.Data {
		large.Data[i] = float64(i) / 3
	}
	for _, size := range []struct {
		name string
		v    *callOf
	}{{"small", &small}, {"large", &large}} {
		b.Run("size="+size.name+"/by=gobs", func(b *testing.B) {
			var l link
			trip(b, func(into *callOf) error {
				msg, err := l.Encode(size.v)
				if err != nil {
					return err
				}
				return l.Decode(msg, into)
			})
		})
		b.Run("size="+size.name+"/by=gob", func(b *testing.B) {
			var wire bytes.Buffer
			enc, dec := gob.NewEncoder(&wire), gob.NewDecoder(&wire)
			trip(b, func(into *callOf) error {
				if err := enc.Encode(size.v); err != nil {
					return err
				}
				*into = callOf{}
				return dec.Decode(into)
			})
		})
		b.Run("size="+size.name+"/by=gobEach", func(b *testing.B) {
			trip(b, func(into *callOf) error {
				*into = callOf{}
				return plainTrip(size.v, into)
			})
		})
	}
}

func trip(b *testing.B, send func(*callOf) error) {
	b.ReportAllocs()
	var into callOf
	for b.Loop() {
		check(b, send(&into))
	}
	if into.Name == "" {
		b.Error("nothing has arrived")
	}
}

// What looking into interfaces costs.
func BenchmarkInterfaces(b *testing.B) {
	v := []any{1, "two", 3.0, item{N: 4}, map[string]any{"five": 5}}
	b.Run("by=gobs", func(b *testing.B) {
		var e gobs.Encoder
		for b.Loop() {
			_, err := e.Encode(&v)
			check(b, err)
		}
	})
	b.Run("by=gob", func(b *testing.B) {
		var wire bytes.Buffer
		enc := gob.NewEncoder(&wire)
		for b.Loop() {
			wire.Reset()
			check(b, enc.Encode(&v))
		}
	})
}
