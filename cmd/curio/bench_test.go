package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"
)

// What ps takes for as many tasks as a monitor sends, without the monitor.
func BenchmarkPS(b *testing.B) {
	p := sample()
	for id := range uint64(maxTasks) {
		name := fmt.Sprint("worker ", id)
		p.Tasks = append(p.Tasks, task{
			ID: id + 100, Name: name, Path: "main/pool/" + name, Parent: 1, Kernel: 1, Kind: "task", State: "TIME_SLEEP",
			Cycles: id, Age: 63.25, Spawned: "pool/main.go:31", Waits: []wait{{Op: "TIME_SLEEP", On: []uint64{}}}, Waiting: new(52.123456), Until: new(3548.5),
		})
	}
	text, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("part=decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := decodeWith(nil, io.NopCloser(bytes.NewReader(text)), decodePicture); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("part=table", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := writePS(io.Discard, p.Tasks, orders[0].comparing(false), 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}
