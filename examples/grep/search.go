package main

import (
	"context"
	"fmt"
	"strings"

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
		// The walk has a group of its own, in this one: it must have ended before the files' group does.
		return curio.Group(ctx, func(ctx context.Context, walk *curio.TaskGroup[struct{}]) error {
			walk.Go(func(ctx context.Context) error {
				defer inOrder.Close()
				for _, root := range roots {
					if err := s.walk(ctx, root, files, inOrder); err != nil {
						return err
					}
				}
				return nil
			}, curio.Name("walk"))
			return s.printAll(ctx, inOrder)
		})
	}, curio.Limit(s.workers))
}

// printAll prints the results, each when it is there.
func (s *search) printAll(ctx context.Context, inOrder *curio.Queue[*curio.Task[result]]) error {
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
	return nil
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

// longest is how many bytes a line may have. It bounds what a file without lines takes of our memory.
const longest = 1 << 20

// search searches one file. Only that it was cancelled is an error of the task.
func (s *search) search(ctx context.Context, path string) (r result, err error) {
	f, err := file.Open(ctx, path)
	if err == nil {
		defer f.Close()
		f.SetLineLimit(longest)
		err = s.lines(ctx, f, &r)
	}
	if err != nil {
		r.err = err
		return r, curio.CheckCancellation(ctx)
	}
	return r, nil
}

// lines searches line by line. In a file with a zero byte one match is enough, and is not shown.
func (s *search) lines(ctx context.Context, f *file.File, r *result) error {
	n, binary := 0, false
	for line, err := range f.Lines(ctx) {
		if err != nil {
			return err
		}
		n++
		binary = binary || strings.IndexByte(line, 0) >= 0
		line = strings.TrimRight(line, "\r\n")
		if !s.pattern.MatchString(line) {
			continue
		}
		r.matched = true
		if binary {
			r.text = fmt.Appendf(nil, "%s: binary file matches\n", f.Name())
			return nil
		}
		r.text = fmt.Appendf(r.text, "%s:%d:%s\n", f.Name(), n, line)
	}
	return nil
}
