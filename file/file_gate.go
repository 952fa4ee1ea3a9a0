package file

import (
	"io/fs"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// A gate keeps calls that change a file waiting while a write that was abandoned runs on: what is
// written later must come later.
type gate struct {
	mu      sync.Mutex
	shut    int // writes that run on; less than 0 for a moment, if the end of one is told before its beginning
	waiting wait.List
}

// pass waits until no write runs on.
func (g *gate) pass(p wait.Place, f *File) error {
	for {
		g.mu.Lock()
		if g.shut <= 0 {
			g.mu.Unlock()
			return nil
		}
		if f.isClosed() {
			g.mu.Unlock()
			return fs.ErrClosed
		}
		w := p.Waiter("FILE_UNSETTLED", f)
		g.waiting.Push(w)
		g.mu.Unlock()
		ok := w.WaitOutside()
		if !ok {
			g.waiting.Leave(w, &g.mu)
		}
		w.Free()
		if !ok {
			return errCut
		}
	}
}

// add notes a write that runs on, with 1, and its end, with -1.
func (g *gate) add(n int) {
	var woken wait.Batch
	g.mu.Lock()
	if g.shut += n; g.shut <= 0 {
		g.waiting.PopAll(&woken)
	}
	g.mu.Unlock()
	woken.Wake()
}

// open has all that wait look again, as the file is closed.
func (g *gate) open() {
	var woken wait.Batch
	g.mu.Lock()
	g.waiting.PopAll(&woken)
	g.mu.Unlock()
	woken.Wake()
}
