package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// A result is what was found in one file.
type result struct {
	text    []byte // the lines, as they are printed
	err     error  // what the file could not be read for
	matched bool
}

// run searches all that is below the roots. One task walks, and starts a task for each file. They are
// printed in the order in which they were started, so each waits in a queue until its turn has come; as
// that is bounded, and so is the group, a tree of any size takes little memory.
func (s *search) run(ctx context.Context, roots []string) error {
	inOrder := curio.NewQueue[*curio.Task[result]](s.workers)
	return curio.Group(ctx, func(ctx context.Context, files *curio.TaskGroup[result]) error {
		walker := curio.Go(ctx, func(ctx context.Context) error {
			defer inOrder.Close()
			for _, root := range roots {
				if err := s.walk(ctx, root, files, inOrder); err != nil {
					return err
				}
			}
			return nil
		}, curio.Name("walk"))
		for task, err := range inOrder.All(ctx) {
			if err != nil {
				return err
			}
			r, err := task.Join(ctx)
			if err != nil {
				return err
			}
			if err := s.print(r); err != nil {
				return err
			}
		}
		_, err := walker.Join(ctx)
		return err
	}, curio.Limit(s.workers))
}

// walk starts a task for each file below root. What cannot be read takes its turn as well.
func (s *search) walk(ctx context.Context, root string, files *curio.TaskGroup[result], inOrder *curio.Queue[*curio.Task[result]]) error {
	for e, failed := range file.Walk(ctx, root) {
		if err := curio.CheckCancellation(ctx); err != nil {
			return err
		}
		path := e.Path()
		switch {
		case failed != nil:
		case e.IsDir() && e.Name() == ".git":
			e.Skip()
			continue
		case !e.Type().IsRegular() && path != root || e.IsDir():
			continue // what is named on the command line is searched, whatever it is
		}
		task, err := files.SpawnWait(ctx, func(ctx context.Context) (result, error) {
			if failed != nil {
				return result{err: failed}, nil
			}
			return s.search(ctx, path)
		}, curio.Name(path))
		if err != nil {
			return err
		}
		if err := inOrder.Put(ctx, task); err != nil {
			return err
		}
	}
	return nil
}

func (s *search) print(r result) error {
	if r.err != nil {
		s.failed = true
		fmt.Fprintln(s.errs, "grep:", r.err)
	}
	s.found = s.found || r.matched
	_, err := s.out.Write(r.text)
	return err
}

// search searches one file. Only that it was cancelled is an error of the task.
func (s *search) search(ctx context.Context, path string) (result, error) {
	r, err := curio.RunInThread(ctx, func() (result, error) { return s.lines(path), nil }, func(result, error) {})
	return r, err
}

// lines reads the file. It is called in a thread, as a disk may not answer.
func (s *search) lines(path string) (r result) {
	f, err := os.Open(path)
	if err != nil {
		return result{err: err}
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	head, _ := in.Peek(8 << 10)
	binary := bytes.IndexByte(head, 0) >= 0
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if s.pattern.Match(bytes.TrimRight(line, "\r\n")) && len(line) > 0 {
			r.matched = true
			if binary {
				r.text = fmt.Appendf(nil, "%s: binary file matches\n", path)
				return r
			}
			r.text = fmt.Appendf(r.text, "%s:%d:%s\n", path, n, bytes.TrimRight(line, "\r\n"))
		}
		switch {
		case errors.Is(err, io.EOF):
			return r
		case err != nil:
			r.err = err
			return r
		}
	}
}
